"""Files of JSON lines: read line by line in bounded memory, written whole or not at all."""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import InputError, StorageError
from .unfinished import Lines, Unfinished

STANDARD = "-"  # stdin or stdout
MAX_LINE_BYTES = 1 << 24


@contextmanager
def open_input(path: str) -> Iterator[BinaryIO]:
    """Open a file, or stdin if the path is "-".

    Raises:
        InputError: it cannot be read.
    """
    if path == STANDARD:
        yield sys.stdin.buffer
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - only opening may be blamed on the user
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        yield file


def count_lines(path: str) -> int | None:
    """Return how many lines a regular file has; None for anything that can be read only once."""
    if path == STANDARD or not Path(path).is_file():
        return None
    with open_input(path) as file:
        return sum(part.count(b"\n") for part in iter(lambda: file.read(1 << 20), b""))


def numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line that is not blank with its number from 1; None for one that is too long.

    Raises:
        InputError: the file cannot be read on.
    """
    number = 0
    try:
        while line := file.readline(MAX_LINE_BYTES):
            number += 1
            part = line
            while len(part) == MAX_LINE_BYTES and not part.endswith(b"\n"):
                part = file.readline(MAX_LINE_BYTES)
            text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if part is not line:
                yield number, None
            elif text.strip():
                yield number, text
    except OSError as error:
        raise InputError(f"the input cannot be read on: {error.strerror}") from None


def file_digest(path: str) -> str | None:
    """Return the SHA-256 of a regular file; None of anything that can be read only once."""
    if path == STANDARD or not Path(path).is_file():
        return None
    with open_input(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # typeshed asks for readinto


def check_output(path: str, source: BinaryIO, *, force: bool, resume: bool) -> None:
    """Raise InputError if an output may not be written, or there is nothing to go on with.

    Args:
        path: as for `open_output`.
        source: the input, open; the output may be none of its names, links among them.
        force: whether a file that is there may be replaced.
        resume: whether an interrupted run is to go on.
    """
    out = _unfinished(path)
    if any(_is_file(name, source) for name in _names(path, out)):
        raise InputError(f"{path} is the input", hint="give the output another name")
    if out is not None:
        out.check(force=force, resume=resume)
    elif resume:
        raise InputError(f"{path} cannot be gone on with", hint="--resume needs a file as OUT")


@contextmanager
def open_output(path: str, origin: Mapping[str, Any], *, resume: bool) -> Iterator[Lines]:
    """Open a file that appears under its name when the block ends well, or stdout if "-".

    What is there but no regular file, like a FIFO or a device, is written to directly; a link
    stays, and the file that it leads to is replaced. Until the end the lines of a regular file are
    beside it, and stay there if the block raises (see `unfinished`).

    Args:
        origin: JSON-ready: all that decides what the lines say.
        resume: go on with the lines that are there.

    Raises:
        InputError: as `Unfinished.open`.
        StorageError: the disk refused; a file that was there is untouched.
    """
    hint = ""
    try:
        out = _unfinished(path)
        if path == STANDARD:
            yield Lines(sys.stdout.buffer)
        elif out is None:
            with Path(path).open("wb") as file:
                yield Lines(file)
        else:
            hint = f"what was there is untouched; if there is a {out.part.name}, --resume goes on"
            with out.open(origin, resume=resume) as lines:
                yield lines
    except BrokenPipeError:
        raise  # whoever read stdout has had enough, which is no fault
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error.strerror}", hint=hint) from None


def _unfinished(path: str) -> Unfinished | None:
    """Return the files of an output; None for what is written to directly.

    Raises:
        InputError: the path is a folder.
    """
    out = Path(path)
    if path == STANDARD or (out.exists() and not out.is_file() and not out.is_dir()):
        return None
    if out.is_dir():
        raise InputError(f"{path} is a folder", hint="give the name of a file")
    return Unfinished(Path(os.path.realpath(out)))


def _names(path: str, out: Unfinished | None) -> list[int | str | Path]:
    """Return the names and descriptors that an output is written to."""
    if out is not None:
        return [out.out, out.part, out.origin]
    if path != STANDARD:
        return [path]
    try:
        return [sys.stdout.fileno()]
    except OSError:  # whoever calls has put something else there
        return []


def _is_file(name: int | str | Path, file: BinaryIO) -> bool:
    """Return whether a name or descriptor is of the regular file that is open."""
    try:
        found, wanted = os.stat(name), os.fstat(file.fileno())  # noqa: PTH116 - a descriptor
    except (OSError, ValueError):  # one is not there, or is no file of the system
        return False
    return stat.S_ISREG(found.st_mode) and os.path.samestat(found, wanted)
