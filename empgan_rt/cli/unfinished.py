"""Outputs that a killed or interrupted run leaves so that the next one can go on.

Lines gather in `OUT.part`, which gets the name OUT in one step when all are there. Beside it,
`OUT.part.json` tells which model, settings and input they come from, so that a run goes on with its
own and nobody else's. The run holds a lock on `OUT.part`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ..errors import InputError
from ..storage.file_set import replace_file
from ..storage.locks import locked_file
from ..storage.replacing import flush_to_disk


class _Line(msgspec.Struct):
    """What is read of a stored line."""

    line: int
    error: dict[str, str] | None = None


@dataclass
class Lines:
    """The lines of an output: how many are there, and where the next ones go.

    Attributes:
        file: open for writing, at its end.
        rows, failed: lines that are there, and how many of them tell of an error.
        last: number of the input's line that the last of them answers; 0 if there is none.
        kept: whether they outlive a run that does not end.
    """

    file: BinaryIO
    rows: int = 0
    failed: int = 0
    last: int = 0
    kept: bool = False

    def write(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write records, each with its "line", and hand them to the system."""
        for record in records:
            self.file.write(msgspec.json.encode(record) + b"\n")
            self.rows, self.last = self.rows + 1, record["line"]
            self.failed += "error" in record
        self.file.flush()


@dataclass(frozen=True)
class Unfinished:
    """The files of an output that is a regular file, or will be.

    Attributes:
        out: without links.
    """

    out: Path

    @property
    def part(self) -> Path:
        """Where lines gather."""
        return self.out.with_name(f"{self.out.name}.part")

    @property
    def origin(self) -> Path:
        """What tells where they come from."""
        return self.out.with_name(f"{self.out.name}.part.json")

    def check(self, *, force: bool, resume: bool) -> None:
        """Raise InputError if the output may not be written, or there is nothing to go on with."""
        if self.out.exists() and not force:
            raise InputError(
                f"{self.out} exists", hint="give --force to replace it, or another name"
            )
        if resume and not self.part.is_file():
            raise InputError(f"no {self.part} to go on with", hint="start without --resume")
        if self.part.exists() and not (resume or force):
            raise InputError(
                f"{self.part} is there, from a run that did not end",
                hint="give --resume to go on with it, or --force to begin anew",
            )

    @contextmanager
    def open(self, origin: Mapping[str, Any], *, resume: bool) -> Iterator[Lines]:
        """Open the output, which gets its name when the block ends well; else its lines stay.

        Args:
            origin: JSON-ready: all that decides what the lines say.
            resume: keep the lines that are there; without it they are dropped.

        Raises:
            InputError: another run is writing it, or what is there has another origin.
            OSError, StorageError: the disk refused.
        """
        with locked_file(self.part) as file:
            lines = Lines(file, kept=True)
            try:
                if resume:
                    self._check_origin(origin)
                    _take_up(lines)
                else:
                    file.truncate(0)
                    replace_file(self.origin, msgspec.json.encode(origin) + b"\n")
                yield lines
                flush_to_disk(file)
                self.part.replace(self.out)
                self.origin.unlink(missing_ok=True)
            except BaseException:
                if not resume and not lines.rows:  # there is nothing to go on with
                    self.part.unlink(missing_ok=True)
                    self.origin.unlink(missing_ok=True)
                raise

    def _check_origin(self, origin: Mapping[str, Any]) -> None:
        """Raise InputError unless the lines that are there are of the same model and settings."""
        try:
            before = msgspec.json.decode(self.origin.read_bytes(), type=dict[str, Any])
        except (OSError, ValueError):
            raise InputError(
                f"{self.origin} does not tell where the replies in {self.part.name} come from",
                hint="give --force instead of --resume to begin anew",
            ) from None
        now = msgspec.json.decode(msgspec.json.encode(origin))
        changed = [key for key in now if before.get(key) != now[key]]
        if changed:
            raise InputError(
                f"{self.part} was begun with another {', '.join(changed)}",
                hint="go on with what it was begun with, or give --force instead of --resume",
            )


def _take_up(lines: Lines) -> None:
    """Count the lines that are there and put the file's end behind the last whole one."""
    end = 0
    for raw in lines.file:
        try:
            line = msgspec.json.decode(raw, type=_Line)
        except ValueError:
            break
        if not raw.endswith(b"\n"):
            break
        end += len(raw)
        lines.rows, lines.last = lines.rows + 1, line.line
        lines.failed += line.error is not None
    lines.file.seek(end)
    lines.file.truncate()
