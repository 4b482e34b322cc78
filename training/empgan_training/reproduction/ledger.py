"""Steps that are done once: a step is skipped when its output is there and its inputs unchanged.

After a step, a marker says what went in and the SHA-256 of everything that came out. A run that was
killed at any point finds the markers of what was finished and does the rest.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from empgan_rt.storage import replace_file

log = logging.getLogger(__name__)


class Marker(msgspec.Struct, frozen=True):
    """What a finished step leaves: its inputs, and the SHA-256 of each output by its path."""

    inputs: dict[str, Any]
    outputs: dict[str, str]


@dataclass(frozen=True)
class Step:
    """One piece of work.

    Attributes:
        name: of its marker, such as "train/seed-1/EmpG".
        inputs: JSON-ready: settings, and hashes of what it reads.
        outputs: files that it writes, below the ledger's folder.
        run: does it; called with whether a marker of other inputs was there.
    """

    name: str
    inputs: Mapping[str, Any]
    outputs: Sequence[Path]
    run: Callable[[bool], None]


class Ledger:
    """The markers of one folder.

    Args:
        folder: that every output lies in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def perform(self, step: Step) -> bool:
        """Do a step unless it is done; return whether anything was to do.

        Raises:
            StorageError: the marker cannot be written.
        """
        path = self.folder / "steps" / f"{step.name}.json"
        inputs = msgspec.json.decode(msgspec.json.encode(dict(step.inputs)))
        before = _read(path)
        same = before is not None and before.inputs == inputs
        if before is not None and same and before.outputs == self._hashes(step.outputs):
            log.info("%s: done before", step.name)
            return False
        log.info("%s: begins", step.name)
        step.run(before is not None and not same)
        marker = Marker(inputs, self._hashes(step.outputs))
        replace_file(path, msgspec.json.format(msgspec.json.encode(marker), indent=2) + b"\n")
        return True

    def _hashes(self, outputs: Sequence[Path]) -> dict[str, str]:
        return {
            path.relative_to(self.folder).as_posix(): file_sha256(path)
            for path in outputs
            if path.is_file()
        }


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Marker | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Marker)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None  # there is none, or a crash cut it short: the step is done again
