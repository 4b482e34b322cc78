"""Steps that are done once: a step is skipped when its output is there and its inputs unchanged.

A marker says what goes into a step and, once it is finished, the hash of everything that came out.
A run that was killed at any point finds the markers, goes on with what was begun and does the rest.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from empgan_rt.errors import InputError, StorageError
from empgan_rt.storage.file_set import replace_file
from empgan_rt.storage.replacing import restored

from ..stored_json import decode_json, json_file

log = logging.getLogger(__name__)


class Marker(msgspec.Struct, frozen=True):
    """The record of a step: its inputs and, once it is finished, each output's hash by path."""

    inputs: dict[str, Any]
    outputs: dict[str, str] | None = None


@dataclass(frozen=True)
class Step:
    """One piece of work.

    Attributes:
        name: of its marker, such as "train/seed-1/EmpG".
        inputs: JSON-ready: settings, and hashes of what it reads; no paths, since a folder moves.
        outputs: files that it writes, below the ledger's folder.
        run: does it; told whether to begin anew, or to go on with what a killed run has left.
        digest: hash of an output, of all in it that the inputs decide.
    """

    name: str
    inputs: Mapping[str, Any]
    outputs: Sequence[Path]
    run: Callable[[bool], None]
    digest: Callable[[Path], str]


class Ledger:
    """The markers of one folder.

    Args:
        folder: that every output lies in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def perform(self, step: Step) -> bool:
        """Do a step unless it is done; return whether anything was to do.

        A step that was killed goes on. One whose inputs have changed, or whose outputs are no
        longer what it wrote, begins anew.

        Raises:
            StorageError: the marker cannot be written, or the step left an output out.
        """
        path = self.folder / "steps" / f"{step.name}.json"
        inputs = msgspec.json.decode(msgspec.json.encode(dict(step.inputs)))
        before = _read(path)
        begun = before is not None and before.inputs == inputs
        if begun and before is not None and before.outputs is not None:
            if before.outputs == self._hashes(step):
                log.info("%s: done before", step.name)
                return False
            begun = False
        log.info("%s: %s", step.name, "goes on" if begun else "begins")
        if not begun:
            _write(path, Marker(inputs))
        step.run(not begun)
        outputs = self._hashes(step)
        if len(outputs) < len(step.outputs):
            raise StorageError(
                f"{step.name} left {len(outputs)} of {len(step.outputs)} files",
                hint="something else removes files there; try again",
            )
        _write(path, Marker(inputs, outputs))
        return True

    def _hashes(self, step: Step) -> dict[str, str]:
        return {
            path.relative_to(self.folder).as_posix(): step.digest(path)
            for path in step.outputs
            if restored(path.parent) and path.is_file()
        }


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _read(path: Path) -> Marker | None:
    try:
        return decode_json(path.read_bytes(), Marker)
    except (OSError, ValueError):
        return None  # there is none, or a crash cut it short: the step is done again


def _write(path: Path, marker: Marker) -> None:
    replace_file(path, json_file(marker))
