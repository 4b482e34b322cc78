"""Lines that we wrote, with what the guard by words should take each for."""

from __future__ import annotations

import json
from dataclasses import dataclass

from empgan_rt import Turn, WordGuard

from .source_tree import ROOT

PATH = ROOT / "tests" / "data" / "guard_lines.jsonl"


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        text: what is said.
        reads: "messages" if a user says it, "replies" if the model does.
        category: what it is; None for nothing.
        set: "first", or "second" and "third" for lines written without a look at the word list.
        missed: whether the guard is known not to find it.
        emotion: of a reply, that of the message it answers; None if it is not known.
    """

    text: str
    reads: str
    category: str | None
    set: str
    missed: bool = False
    emotion: str | None = None


def read_lines() -> list[Line]:
    return [Line(**json.loads(line)) for line in PATH.read_text("utf-8").splitlines()]


def category_of(
    guard: WordGuard, text: str, reads: str = "messages", emotion: str | None = None
) -> str | None:
    """Return what a guard takes a text for."""
    turns = [Turn(text if reads == "messages" else "Hello.", emotion)]
    if reads == "messages":
        return guard.check_input(turns).category or None
    return guard.check_reply(turns, [text]).category or None
