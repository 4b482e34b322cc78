"""Phrases of a word list, and where they stand in a text: one pass, whatever the text holds.

All phrases become one automaton over words. For each word of a text it moves every place that it
may be in, so the work grows with the text's length, and no phrase can make it grow faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .phrase_reader import Element, Way

GAP = 3  # words that "..." stands for at most
MAX_STATES = 500_000
_START = 0

# For each place the words that it may be read as; BEGIN and END stand around them.
Sentence = Sequence[tuple[str, ...]]


class Found(NamedTuple):
    """A phrase in a sentence: its number, its first place, and the place behind its last."""

    phrase: int
    start: int
    end: int


class Phrases:
    """Finds phrases in sentences.

    Args:
        ways: the phrases; their places are their numbers.

    Attributes:
        vocabulary: all words of the phrases but those with any ending.

    Raises:
        ValueError: they are too many.
    """

    def __init__(self, ways: Iterable[Way]) -> None:
        self._words: list[dict[str, list[int]]] = [{}]
        self._endings: dict[int, list[tuple[str, int]]] = {}
        self._gaps: dict[int, list[int]] = {}
        self._ends: dict[int, list[int]] = {}
        self._shared: dict[tuple[int, str], int] = {}  # what phrases that begin alike share
        for number, way in enumerate(ways):
            state, rest = self._begun(way)
            for end in self._lead({state}, rest, self._state()) if rest else {state}:
                self._ends.setdefault(end, []).append(number)
        self.vocabulary = frozenset(word for words in self._words for word in words)

    def find(self, sentence: Sentence) -> list[Found]:
        """Return every phrase in a sentence; of one that ends at a place, where it began last."""
        words, endings, gaps, ends = self._words, self._endings, self._gaps, self._ends
        found: list[Found] = []
        active: dict[int, int] = {}  # state -> the place where its phrase began
        for place, readings in enumerate(sentence):
            active[_START] = place
            reached: dict[int, int] = {}
            for state, start in active.items():
                targets = [*gaps.get(state, ())]
                for reading in readings:
                    targets += words[state].get(reading, ())
                    for beginning, target in endings.get(state, ()):
                        if reading.startswith(beginning):
                            targets.append(target)
                for target in targets:
                    if reached.get(target, -1) < start:
                        reached[target] = start
            for state, start in reached.items():
                if state in ends:
                    found += [Found(number, start, place + 1) for number in ends[state]]
            active = reached
        return found

    def _begun(self, way: Way) -> tuple[int, Way]:
        """Lead along the first words that must stand as they are; return where, and the rest."""
        state = _START
        for place, element in enumerate(way):
            if element.is_optional or element.has_ending or not element.word:
                return state, way[place:]
            key = (state, element.word)
            if key not in self._shared:
                self._shared[key] = self._state()
                self._words[state].setdefault(element.word, []).append(self._shared[key])
            state = self._shared[key]
        return state, ()

    def _lead(self, frontier: set[int], way: Way, end: int) -> set[int]:
        """Lead from each state of a frontier along a way to its end; return where it may end."""
        for place, element in enumerate(way, start=1):
            target = end if place == len(way) else self._state()
            reached = self._over(frontier, element, target)
            frontier = frontier | reached if element.is_optional else reached
        return frontier

    def _over(self, frontier: set[int], element: Element, end: int) -> set[int]:
        """Lead from each state of a frontier over one element; return where it may end."""
        if element.is_gap:
            return self._over_gap(frontier)
        if element.ways:
            return set().union(*(self._lead(frontier, way, end) for way in element.ways))
        for source in frontier:
            if element.has_ending:
                self._endings.setdefault(source, []).append((element.word, end))
            else:
                self._words[source].setdefault(element.word, []).append(end)
        return {end}

    def _over_gap(self, frontier: set[int]) -> set[int]:
        reached, last = set(frontier), frontier
        for _ in range(GAP):
            state = self._state()
            for source in last:
                self._gaps.setdefault(source, []).append(state)
            last = {state}
            reached.add(state)
        return reached

    def _state(self) -> int:
        """Return a new state.

        Raises:
            ValueError: there are too many.
        """
        if len(self._words) >= MAX_STATES:
            raise ValueError(f"the phrases need more than {MAX_STATES:,} states")
        self._words.append({})
        return len(self._words) - 1
