"""The lines of a corpus's files, plain, gzipped or zipped, and no more than memory can hold.

What is packed says nothing of its size: a gzip of a megabyte may hold a thousand. So the bytes that
are unpacked of one file are bounded, at 30 times what DailyDialog is, and so is a line.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from empgan_rt.errors import DataError

MAX_UNPACKED_BYTES = 256 * 2**20
MAX_LINE_BYTES = 2**20
_ANEW = "fetch the corpus anew"
_ENCRYPTED = 1  # of a member's flags


def read_bytes(path: Path) -> bytes:
    """Return what a file holds, unpacked if its name ends in ".gz".

    Raises:
        DataError: it cannot be read, is damaged, or unpacks to more than `MAX_UNPACKED_BYTES`.
    """
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with path.open("rb") as file:
            return gunzip(file, path, MAX_UNPACKED_BYTES, hint=_ANEW)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}", hint=_ANEW) from error


def read_text(path: Path) -> bytes:
    """Return what `read_bytes` does, in UTF-8 and without a byte order mark.

    Raises:
        DataError: as there, or it is in UTF-16 or UTF-32.
    """
    return in_utf_8(read_bytes(path), path.name)


def in_utf_8(data: bytes, name: str) -> bytes:
    """Return bytes without the byte order mark of UTF-8.

    Raises:
        DataError: they have that of UTF-16 or UTF-32; `name` says whose they are.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        raise DataError(f"{name} is in UTF-16 or UTF-32, wanted UTF-8", hint="save it as UTF-8")
    return data.removeprefix(codecs.BOM_UTF8)


def gunzip(packed: BinaryIO, path: Path, most: int, *, hint: str) -> bytes:
    """Return what a gzip holds.

    Args:
        path: where it comes from, for the error, and so is `hint`.
        most: bytes that it may hold.

    Raises:
        DataError: it cannot be read, is damaged, or unpacks to more than `most`.
    """
    try:
        with gzip.open(packed) as file:
            data = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}", hint=hint) from error
    if len(data) > most:
        raise DataError(f"{path} unpacks to more than {most:,} bytes", hint=hint)
    return data


def read_members(path: Path, names: tuple[str, ...]) -> list[bytes]:
    """Return members of a zip by their base names, whatever folder they lie in inside it.

    Raises:
        DataError: one is missing, encrypted, packed otherwise than by Deflate, damaged, or unpacks
            to more than `MAX_UNPACKED_BYTES`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [_member(archive, name) for name in names]
    except DataError:
        raise
    except Exception as error:  # of hostile bytes zipfile raises whatever it meets
        raise DataError(
            f"{path} cannot be read: {type(error).__name__}: {error}", hint=_ANEW
        ) from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    for info in archive.infolist():
        if info.filename.rsplit("/", 1)[-1] != name:
            continue
        packed = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if info.flag_bits & _ENCRYPTED or not packed:
            raise DataError(
                f"{name} in {archive.filename} is encrypted, or packed by method "
                f"{info.compress_type}",
                hint="unpack it, and give the folder",
            )
        if info.file_size > MAX_UNPACKED_BYTES:
            raise DataError(
                f"{name} in {archive.filename} unpacks to {info.file_size:,} bytes, at most "
                f"{MAX_UNPACKED_BYTES:,} are read",
                hint=_ANEW,
            )
        return archive.read(info)
    raise DataError(f"{archive.filename} has no {name}", hint=_ANEW)


def lines_of(data: bytes) -> Iterator[bytes]:
    """Yield the lines of a file without their ends, one after the other.

    A line longer than `MAX_LINE_BYTES` is cut to one byte more than that.
    """
    file = io.BytesIO(data)
    for line in iter(file.readline, b""):
        yield line.rstrip(b"\r\n")[: MAX_LINE_BYTES + 1]
