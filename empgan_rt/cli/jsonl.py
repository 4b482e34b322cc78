"""Files of JSON lines: read line by line in bounded memory, written whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError, StorageError
from ..storage.replacing import replaced_file

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
            if part is not line:
                yield number, None
            elif line.strip():
                yield number, line
    except OSError as error:
        raise InputError(f"the input cannot be read on: {error.strerror}") from None


@contextmanager
def open_output(path: str) -> Iterator[BinaryIO]:
    """Open a file that appears under its name when the block ends well, or stdout if "-".

    What is there but no regular file, like a FIFO or a device, is written to directly; a link
    stays, and the file that it leads to is replaced.

    Raises:
        InputError: the path is a folder.
        StorageError: the disk refused; a file that was there is untouched.
    """
    out = Path(path)
    hint = "what was there is untouched"
    try:
        if path == STANDARD:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        elif out.is_dir():
            raise InputError(f"{path} is a folder", hint="give the name of a file")
        elif out.exists() and not out.is_file():
            hint = ""
            with out.open("wb") as file:
                yield file
        else:
            with replaced_file(Path(os.path.realpath(out))) as file:
                yield file
    except BrokenPipeError:
        raise  # whoever read stdout has had enough, which is no fault
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error.strerror}", hint=hint) from None
