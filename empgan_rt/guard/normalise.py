"""A message as words that phrases can be looked for in, whatever it does to hide them.

Looked through are forms of letters (full width, accents, strokes), invisible characters, kinds of
apostrophes, letters apart ("k i l l"), letters often ("diiie"), digits and signs for letters
("su1c1de", "k!ll"), and short forms that the word list spells out ("don't", "wanna").

>>> Normaliser({"do not": ["don't"]}).words("I DON’T")
['i', 'do', 'not']
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .phrase_reader import BEGIN, END
from .phrases import Sentence

_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u02bc`\u00b4\u2032\uff07"), "'")
_MARKS = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+")
# "don ' t", "it ' s": some keyboards and corpora put spaces there.
_LOOSE_CLITIC = re.compile(r"(?<=[a-z]) ?' ?(?=(?:t|s|m|d|re|ve|ll)\b)")
# A word, in which signs may stand for letters, or what ends a sentence.
_PARTS = re.compile(
    r"[@$]?[^\W_]+(?:['@$!*|][^\W_]+)*|[!?;\n\u3002]|(?<!\.)(?<!\.[^\W_])\.(?=\s|$)"
)
_LETTERS = str.maketrans("013457@$!|", "oieastasil")
_OTHER_LETTERS = str.maketrans("013457@$!|", "oleastasll")
# A digit beside a letter, or a sign where a letter may be.
_DISGUISE = re.compile(
    r"\d(?=[^\W\d_])|(?<=[^\W\d_])\d|(?<=[^\W_])[@$!|*](?=[^\W_])|[@$](?=[^\W\d_])"
)
_OFTEN = re.compile(r"([^\W\d_])\1\1+")
_ENDS = frozenset("!?;\n.\u3002")
_APART = re.compile(r"(?<![^\W_])[^\W_](?:(?:[^\w']|_)+[^\W_](?![^\W_])){2}")
_FEWEST_APART = 3  # letters that stand alone in a row are no words
_UNKNOWN = 3  # what a letter outside of any word costs, in words


class Parts(NamedTuple):
    """A text in pieces: words as they are written, and the ends of sentences.

    Attributes:
        parts: without forms of letters and what is invisible.
        is_simple: whether nothing may hide a word but short forms.
    """

    parts: list[str]
    is_simple: bool


class Normaliser:
    """Reads texts for one word list.

    Args:
        spellings: words -> the short or wrong forms that are read as these.
    """

    def __init__(self, spellings: Mapping[str, Sequence[str]]) -> None:
        self._spelled: dict[str, list[tuple[str, ...]]] = {
            _plain(form): [(word,) for word in _plain(words).split()]
            for words, forms in spellings.items()
            for form in forms
        }

    def words(self, text: str) -> list[str]:
        """Return the words of a phrase, in their first readings."""
        sentences = self.sentences(self.parts(text), frozenset())
        return [readings[0] for sentence in sentences for readings in sentence[1:-1]]

    def forms(self, words: frozenset[str]) -> frozenset[str]:
        """Return what some words may be written as in simple texts, apostrophes aside."""
        forms = {
            form.replace("'", "")
            for form, spelled in self._spelled.items()
            if not words.isdisjoint(word for (word,) in spelled)
        }
        return words | forms

    def parts(self, text: str) -> Parts:
        """Return the pieces of a text."""
        plain = _plain(text)
        hides = _DISGUISE.search(plain) or _OFTEN.search(plain) or _APART.search(plain)
        return Parts(_PARTS.findall(plain), not hides)

    def sentences(self, text: Parts, vocabulary: frozenset[str]) -> list[Sentence]:
        """Return the sentences of a text, for each place the words that it may be read as.

        Args:
            text: any.
            vocabulary: the words that letters apart are put together to.
        """
        sentences: list[Sentence] = []
        sentence: list[tuple[str, ...]] = [(BEGIN,)]
        for part in (*(text.parts if text.is_simple else self._joined(text, vocabulary)), "."):
            if part in self._spelled:
                sentence += self._spelled[part]
            elif part not in _ENDS:
                sentence += [(part.replace("'", ""),)] if text.is_simple else self._readings(part)
            elif len(sentence) > 1:
                sentences.append([*sentence, (END,)])
                sentence = [(BEGIN,)]
        return sentences

    def _joined(self, text: Parts, vocabulary: frozenset[str]) -> Iterator[str]:
        """Yield the parts of a text, letters that stand alone put together to words."""
        apart: list[str] = []
        for part in (*text.parts, "."):
            if len(part) == 1 and part not in _ENDS:
                apart.append(part)
                continue
            if len(apart) < _FEWEST_APART:
                yield from apart
            else:
                yield from _segmented(apart, vocabulary)
            apart = []
            yield part

    def _readings(self, part: str) -> list[tuple[str, ...]]:
        """Return the words that one part of a text may be read as, for each place that it takes."""
        readings = dict.fromkeys(_readings(part))
        for reading in readings:
            if reading in self._spelled:
                return self._spelled[reading]
        return [(*(dict.fromkeys(reading.replace("'", "") for reading in readings)),)]


def _plain(text: str) -> str:
    """Return a text in small letters without marks and invisible characters."""
    text = text.translate(_APOSTROPHES)
    if not text.isascii():
        text = _MARKS.sub("", unicodedata.normalize("NFKD", text))
        text = unicodedata.normalize("NFKC", text)
        text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return _LOOSE_CLITIC.sub("'", text.casefold())


def _readings(part: str) -> Iterable[str]:
    """Yield what a word may be: as it is, undisguised, and with letters less often."""
    yield part
    words = [part]
    if _DISGUISE.search(part):
        bare = part.replace("*", "")
        words = [bare.translate(_LETTERS), bare.translate(_OTHER_LETTERS)]
        yield from words
    for word in words:
        if _OFTEN.search(word):
            yield _OFTEN.sub(r"\1\1", word)
            yield _OFTEN.sub(r"\1", word)


def _segmented(letters: Sequence[str], vocabulary: frozenset[str]) -> list[str]:
    """Return letters as the fewest words, letters by themselves where there is none.

    A row of letters as long as a message costs as many steps as it has letters, times the
    longest word.
    """
    text = "".join(letters).translate(_LETTERS)
    longest = max(map(len, vocabulary), default=1)
    best: list[tuple[int, int]] = [(0, 0)]  # cost up to a place, and where its last word begins
    for end in range(1, len(text) + 1):
        ways = [(best[end - 1][0] + _UNKNOWN, end - 1)]
        for start in range(max(0, end - longest), end - 1):
            if text[start:end] in vocabulary:
                ways.append((best[start][0] + 1, start))
        best.append(min(ways))
    words: list[str] = []
    end = len(text)
    while end:
        start = best[end][1]
        words.append(text[start:end])
        end = start
    return words[::-1]
