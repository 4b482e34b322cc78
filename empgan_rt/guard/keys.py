"""Words of which a sentence has one, if it has a phrase at all: most have none, and are done with.

Of every phrase one step that cannot be left out is taken, the one whose words are rarest. This is
for speed alone: a sentence without a key has no phrase.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .phrase_reader import BEGIN, END, Element, Way
from .phrases import Sentence


class Keys:
    """The keys of some phrases.

    Args:
        ways: the phrases.
        common: frequent words, the most frequent first.

    Attributes:
        words: of which a sentence has one, unless it has one with an ending.
        endings: beginnings of words, likewise.
    """

    def __init__(self, ways: Iterable[Way], common: Sequence[str]) -> None:
        # As in most texts, the second word comes half as often as the first.
        self._shares = {word: 1 / rank for rank, word in enumerate(common, start=1)}
        self._shares |= {BEGIN: 1.0, END: 1.0}
        self._rare = 1 / (20 * len(common) + 1)
        elements = {element for way in ways for element in self._of_way(way) or ()}
        self.words = frozenset(e.word for e in elements if not e.has_ending)
        self.endings = tuple(e.word for e in elements if e.has_ending)

    def are_in(self, sentence: Sentence) -> bool:
        """Return whether a sentence may have a phrase."""
        words, endings = self.words, self.endings
        for readings in sentence:
            if not words.isdisjoint(readings):
                return True
            if endings and any(reading.startswith(endings) for reading in readings):
                return True
        return False

    def _of_way(self, way: Way) -> frozenset[Element] | None:
        """Return words of which one is in whatever goes this way; None if there are none such."""
        found = [self._of(element) for element in way if not element.is_optional]
        return min((each for each in found if each), key=self._share, default=None)

    def _of(self, element: Element) -> frozenset[Element] | None:
        if not element.ways:
            return frozenset((element,)) if element.word else None
        ways = [self._of_way(way) for way in element.ways]
        known = [each for each in ways if each is not None]
        return frozenset().union(*known) if len(known) == len(ways) else None

    def _share(self, elements: frozenset[Element]) -> float:
        """Return how often one of some words comes, beside the most frequent word."""
        return sum(self._shares.get(element.word, self._rare) for element in elements)
