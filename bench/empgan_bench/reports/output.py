"""Where a command's report goes, and how the command ends."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from empgan_rt.cli import console
from empgan_rt.errors import GateError, StorageError


def conclude(
    record: dict[str, Any], told: str, failures: Sequence[str], folder: Path, *, as_json: bool
) -> None:
    """Print what a run came to and where its report lies; errors as `tell`."""
    shown = f"{told}\nreport: {folder / 'report.html'}"
    tell(record, shown, failures, f"see {folder / 'report.md'}", as_json=as_json)


def tell(
    record: dict[str, Any], shown: str, failures: Sequence[str], hint: str, *, as_json: bool
) -> None:
    """Print a result, and fail if anything did.

    Raises:
        GateError: something failed.
    """
    record["passed"] = not failures
    if not failures:
        console.emit(record, shown, as_json=as_json)
        return
    error = GateError(f"{len(failures)} gates failed, first {failures[0]}", hint=hint)
    record["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
    console.emit(record, shown, as_json=as_json)
    if as_json:  # one object only, so the error is in it
        raise click.exceptions.Exit(error.exit_code)
    raise error


def dated(kind: str) -> Path:
    """Return a folder for a report of this kind and second."""
    return Path(f"bench-{kind}-{datetime.datetime.now():%Y%m%d-%H%M%S}")


@contextmanager
def report_folder(folder: Path) -> Iterator[Path]:
    """Yield the report's folder, made before anything is measured; none stays behind empty.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}") from None
    try:
        yield folder
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()
