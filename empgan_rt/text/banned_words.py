"""Banned words and phrases to the tokens that would write them.

A ban is read as text is: normalised, cut into words, and compared without regard to capitals. It
holds for what a reply looks like, so it covers every way in which the vocabulary spells it: the
tokens "'" and "s" are written as "'s" is. Such a choice exists beside punctuation alone, since
between letters a space always shows. Abbreviations are the words that their full stop ends.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate

from ..errors import InputError
from ..graph_spec import EOS, PAD, SOS
from .bans import Bans, Phrase
from .tokenizer import Tokenizer

MAX_SPELLINGS = 500  # of one entry, which rows of full stops alone exceed
_NEGATION = "n't"  # a word of its own where text was cut into "do n't"; written together
_log = logging.getLogger(__name__)


class BannedWords:
    """Reads what is banned, for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def bans(self, entries: tuple[str, ...]) -> Bans:
        """Return the ban of some words and phrases.

        Those that the vocabulary cannot spell can never come; a warning counts them.

        Raises:
            InputError: an entry has no word, or too many spellings.
        """
        phrases: list[Phrase] = []
        unspelled: list[int] = []  # places: the words may be a stranger's, and logs last
        for place, entry in enumerate(entries):
            found = self._spellings(place, entry)
            phrases += found
            if not found:
                unspelled.append(place)
        if unspelled:
            _log.warning(
                "%d of %d banned words can never come, because the model's vocabulary lacks a "
                "word of theirs; the first is banned_words[%d]",
                len(unspelled),
                len(entries),
                unspelled[0],
            )
        return Bans.of(phrases)

    @cached_property
    def _ids(self) -> Mapping[str, frozenset[int]]:
        """The tokens that write a text as a whole, whatever their capitals."""
        found: dict[str, set[int]] = {}
        for i, word in enumerate(self._tokenizer.vocabulary):
            if i not in (PAD, SOS, EOS):  # which replies never show
                found.setdefault(word.casefold(), set()).add(i)
        return {text: frozenset(ids) for text, ids in found.items()}

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._ids))

    def _spellings(self, place: int, entry: str) -> list[Phrase]:
        """Return every way to write an entry in tokens; none if a word of it is unknown."""
        tokenizer = self._tokenizer
        words = [word.casefold() for word in tokenizer.words(entry)]
        if not words:
            raise InputError(f"banned_words[{place}] has no word", hint="leave empty entries out")
        text = "".join(words)
        cuts = _cuts(text, _ends(words), _ends(tokenizer.normalise(entry).casefold().split()))
        ends = [end for end in sorted(cuts) if end]
        ways: dict[int, list[Phrase]] = {len(text): [()]}  # from a place to the end
        for start in sorted({0, *cuts} - {len(text)}, reverse=True):
            ways[start] = []
            for end in (end for end in ends if start < end <= start + self._longest):
                ids = self._written(text[start:end], is_last=end == len(text))
                ways[start] += [(ids, *rest) for rest in ways[end] if ids]
                if cuts[end]:
                    break
            if len(ways[start]) > MAX_SPELLINGS:
                raise InputError(
                    f"banned_words[{place}] has more than {MAX_SPELLINGS} spellings",
                    hint="give words, or fewer punctuation marks in a row",
                )
        return ways[0]

    def _written(self, text: str, *, is_last: bool) -> frozenset[int]:
        """Return the tokens that show a text, or at an entry's end one with a full stop."""
        ids = self._ids.get(text, frozenset())
        if is_last and text[-1:].isalnum():
            ids |= self._ids.get(f"{text}.", frozenset())
        return ids


def _cuts(text: str, words: set[int], spaced: set[int]) -> dict[int, bool]:
    """Return where tokens may end in a text without spaces: place -> whether one has to end there.

    Args:
        text: an entry.
        words: where its words end.
        spaced: where a space stood.
    """
    cuts = {len(text): True}
    for place in range(1, len(text)):
        between_letters = text[place - 1].isalnum() and text[place].isalnum()
        if between_letters and place in spaced:
            cuts[place] = not text.startswith(_NEGATION, place)
        elif not between_letters or place in words or text.startswith(_NEGATION, place):
            cuts[place] = False
    return cuts


def _ends(parts: Sequence[str]) -> set[int]:
    """Return where each part ends in the joined ones."""
    return set(accumulate(map(len, parts)))
