"""The language that phrases are written in.

want to die                  these words, side by side
(want|plan) to die           one of these; each is a phrase
really? want to die          "?" after a word, a group or a list: it may be missing
suicid*                      "*" after a word: any ending
kill ... myself              up to three words between
<someone> wants to die       one of a list's entries, which are phrases
^ idiot .                    "^" begins a sentence, and "." ends it
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

BEGIN, END = "^", "."
MAX_CHARACTERS = 600  # of one phrase
MAX_DEPTH = 8  # of groups and lists in each other
_PARTS = re.compile(r"\.\.\.|[()|?<>*]|[^\s()|?<>*]+")
_SIGNS = frozenset(("...", *"()|?<>*"))


@dataclass(frozen=True)
class Element:
    """One step of a phrase: a word, a choice or a gap.

    Attributes:
        word: its letters; empty for a choice or a gap.
        has_ending: whether any letters may follow the word's.
        ways: what a choice is between.
        is_optional: whether the step may be left out.
    """

    word: str = ""
    has_ending: bool = False
    ways: tuple[Way, ...] = ()
    is_optional: bool = False

    @property
    def is_gap(self) -> bool:
        """Whether it stands for any few words."""
        return not self.word and not self.ways


Way = tuple[Element, ...]


def read_phrase(
    phrase: str, lists: Mapping[str, Sequence[str]], spelled: Callable[[str], Sequence[str]]
) -> Way:
    """Return the steps of a phrase.

    Args:
        phrase: in the language above.
        lists: what "<name>" stands for.
        spelled: returns the words that a word of a phrase is read as.

    Raises:
        ValueError: it cannot be read; the message tells which phrase and why.
    """
    reader = _Reader(phrase, lists, spelled, 0)
    way = reader.whole()
    if way[0].is_gap or way[-1].is_gap:
        raise ValueError(f"{phrase!r} begins or ends with '...'")
    if _may_be_empty(way):
        raise ValueError(f"{phrase!r} may be no word at all")
    return way


def _may_be_empty(way: Way) -> bool:
    return all(
        element.is_optional or element.is_gap or any(map(_may_be_empty, element.ways))
        for element in way
    )


class _Reader:
    """The parts of a phrase, one after the other."""

    def __init__(
        self,
        phrase: str,
        lists: Mapping[str, Sequence[str]],
        spelled: Callable[[str], Sequence[str]],
        depth: int,
    ) -> None:
        if len(phrase) > MAX_CHARACTERS:
            raise ValueError(f"{phrase[:40]!r}... has more than {MAX_CHARACTERS} characters")
        self._phrase, self._lists, self._spelled = phrase, lists, spelled
        self._parts = _PARTS.findall(phrase)
        self._place, self._depth = 0, depth

    @property
    def part(self) -> str:
        """The part that comes next; empty at the end."""
        return self._parts[self._place] if self._place < len(self._parts) else ""

    def whole(self) -> Way:
        """Return the steps of the phrase."""
        way = self._way()
        if self.part:
            raise ValueError(f"{self._phrase!r} has {self.part!r} without its beginning")
        return way

    def _way(self) -> Way:
        """Return the steps up to the end of the phrase, of the choice or of the group."""
        elements: list[Element] = []
        while self.part and self.part not in "|)":
            elements += self._elements()
        if not elements:
            raise ValueError(f"{self._phrase!r} has nothing where a word is wanted")
        return tuple(elements)

    def _elements(self) -> Sequence[Element]:
        """Return what one part stands for, with the sign behind it."""
        part = self._next()
        if part == "...":
            return [Element()]
        if part in "(<":
            elements = [Element(ways=self._group() if part == "(" else self._list())]
        else:
            elements = self._word(part)
        if self.part == "?":
            self._next()
            return [Element(ways=(tuple(elements),), is_optional=True)]
        return elements

    def _group(self) -> tuple[Way, ...]:
        self._deeper()
        ways = [self._way()]
        while self.part == "|":
            self._next()
            ways.append(self._way())
        self._take(")")
        self._depth -= 1
        return tuple(ways)

    def _list(self) -> tuple[Way, ...]:
        name = self._next()
        self._take(">")
        if not self._lists.get(name):
            raise ValueError(f"{self._phrase!r} names a list {name!r}, which is not there or empty")
        self._deeper()
        ways = tuple(
            _Reader(entry, self._lists, self._spelled, self._depth).whole()
            for entry in self._lists[name]
        )
        self._depth -= 1
        return ways

    def _word(self, part: str) -> list[Element]:
        if part in (BEGIN, END):
            return [Element(part)]
        words = [] if part in _SIGNS else self._spelled(part)
        if not words:
            raise ValueError(f"{self._phrase!r} has {part!r} where a word is wanted")
        elements = [Element(word) for word in words]
        if self.part == "*":
            self._next()
            elements[-1] = replace(elements[-1], has_ending=True)
        return elements

    def _next(self) -> str:
        part = self.part
        if not part:
            raise ValueError(f"{self._phrase!r} ends too early")
        self._place += 1
        return part

    def _take(self, wanted: str) -> None:
        if self.part != wanted:
            seen = repr(self.part) if self.part else "its end"
            raise ValueError(f"{self._phrase!r} has {seen} where {wanted!r} is wanted")
        self._place += 1

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"{self._phrase!r} has more than {MAX_DEPTH} groups in each other")
