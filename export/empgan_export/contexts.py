"""Dialogues that an export is tried on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from empgan_rt.errors import DataError

MAX_LINE_BYTES = 1 << 24
_OWN = "own_dialogues.jsonl"


class _Row(msgspec.Struct):
    """One line: turns that end where a reply is due, or a dialogue whose last turn is the reply."""

    turns: list[str] | None = None
    dialogue: list[str] | None = None


def read_contexts(path: Path | None, count: int) -> list[list[str]]:
    """Return the turns of `count` contexts, or of all if there are fewer.

    Args:
        path: JSON lines with "turns" or "dialogue"; None takes our own dialogues.

    Raises:
        DataError: a line holds neither or is longer than 16 MiB, the file is empty, or it cannot be
            read.
    """
    try:
        with ExitStack() as stack:
            if path is None:
                assets = resources.files("empgan_training") / "assets"
                path = stack.enter_context(resources.as_file(assets / _OWN))
            contexts = list(islice(_contexts(stack.enter_context(path.open("rb")), path), count))
    except OSError as error:
        raise DataError(f"contexts {path} cannot be read: {error.strerror}") from error
    if not contexts:
        raise DataError(f"{path} holds no context", hint="give at least one")
    return contexts


def _contexts(file: BinaryIO, path: Path) -> Iterator[list[str]]:
    """Yield the turns in each line that is not blank."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES):
        number += 1
        if not line.strip():
            continue
        try:
            if len(line) == MAX_LINE_BYTES:
                raise ValueError("too long")
            row = msgspec.json.decode(line, type=_Row)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            row = _Row()
        turns = (row.dialogue or [])[:-1] if row.turns is None else row.turns
        if not turns:
            raise DataError(
                f"{path}:{number}: no context", hint='wanted {"turns": ["...", ...]}'
            ) from None
        yield turns
