"""Turns as a line of JSON, and back."""

from __future__ import annotations

import msgspec

from ..dialogue.turns import Emotion, Turn
from ..errors import InputError


class _Turn(msgspec.Struct, omit_defaults=True):
    """A turn as JSON; its emotion by name."""

    text: str
    emotion: str | None = None


def turns_as_json(turns: tuple[Turn, ...]) -> str:
    """Return turns as one line.

    Raises:
        InputError: one has a lone surrogate.
    """
    rows = [
        _Turn(turn.text, None if turn.emotion is None else turn.emotion.name.lower())
        for turn in turns
    ]
    try:
        return msgspec.json.encode(rows).decode()
    except UnicodeEncodeError:
        raise InputError("a turn with a lone surrogate", hint="decode it as UTF-8 first") from None


def turns_of_json(line: str) -> tuple[Turn, ...]:
    """Return the turns of a line; raise DecodeError or InputError if it has others."""
    return tuple(
        Turn(row.text, None if row.emotion is None else Emotion.parse(row.emotion))
        for row in msgspec.json.decode(line, type=list[_Turn])
    )
