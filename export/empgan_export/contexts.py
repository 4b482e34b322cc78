"""Dialogues that an export is tried on."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from empgan_rt.errors import DataError


def read_contexts(path: Path | None, count: int) -> list[list[str]]:
    """Return the turns of `count` contexts, or of all if there are fewer.

    Args:
        path: JSON lines with "turns" or "dialogue"; None takes our own dialogues.

    Raises:
        DataError: a line holds neither, the file is empty, or it cannot be read.
    """
    try:
        if path is None:
            folder = resources.files("empgan_training") / "assets"
            data = (folder / "own_dialogues.jsonl").read_bytes()
        else:
            data = path.read_bytes()
    except OSError as error:
        raise DataError(f"contexts {path} cannot be read: {error.strerror}") from error
    contexts = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            turns = row["turns"] if "turns" in row else row["dialogue"][:-1]
            if not turns or not all(isinstance(turn, str) for turn in turns):
                raise TypeError
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path or 'own_dialogues.jsonl'}:{number}: no context",
                hint='wanted {"turns": ["...", ...]}',
            ) from error
        contexts.append(turns)
    if not contexts:
        raise DataError(f"{path} holds no context", hint="give at least one")
    return contexts[:count]
