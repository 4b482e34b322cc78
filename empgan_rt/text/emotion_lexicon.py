"""Emotion words of a turn, by a frozen list of word types.

One extractor serves training, runtime and the critics' view of generated text: a word is an
emotion word if its lower-case form is in the list, whatever stands around it. Types that the
training corpus holds often enough have an id of their own; the others share UNK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import BundleError
from ..graph_spec import SPECIALS, UNK

NOT_REDISTRIBUTABLE = frozenset({"nrc", "nrclex"})


class EmotionLexicon:
    """A frozen list of emotion word types and the emotion vocabulary drawn from it.

    Args:
        sources: lower-case word type -> where it comes from ("vader", "adjective", "nrc", ...).
        words: the types with an id, in id order after the four specials.
    """

    def __init__(self, sources: Mapping[str, str], words: Sequence[str]) -> None:
        missing = [word for word in words if word not in sources]
        if missing or len(set(words)) != len(words):
            raise BundleError(
                f"emotion vocabulary of {len(words)} words, {len(missing)} of them not in the "
                f"emotion lexicon, {len(words) - len(set(words))} twice",
                hint="prepare the data anew",
            )
        self.sources = dict(sources)
        self.vocabulary: tuple[str, ...] = (*SPECIALS, *words)
        ids = {word: i for i, word in enumerate(words, start=len(SPECIALS))}
        self._ids = {word: ids.get(word, UNK) for word in sources}

    @classmethod
    def from_files(cls, lexicon_tsv: bytes, vocabulary_txt: bytes) -> EmotionLexicon:
        """Return the lexicon stored in `emotion_lexicon.tsv` and `emotion_vocabulary.txt`.

        Raises:
            BundleError: a line of the lexicon is not `word<TAB>source`, or the files disagree.
        """
        try:
            rows = [line.split("\t") for line in lexicon_tsv.decode("utf-8").splitlines()]
            sources = dict(rows)
            words = vocabulary_txt.decode("utf-8").splitlines()
        except ValueError as error:  # UnicodeDecodeError is one too
            raise BundleError(
                "emotion_lexicon.tsv cannot be read", hint="wanted word<TAB>source lines in UTF-8"
            ) from error
        if tuple(words[: len(SPECIALS)]) != SPECIALS:
            raise BundleError(
                f"emotion_vocabulary.txt begins with {words[:4]}", hint=f"wanted {SPECIALS}"
            )
        return cls(sources, words[len(SPECIALS) :])

    def to_files(self) -> tuple[bytes, bytes]:
        """Return the two files that `from_files` reads."""
        lexicon = "".join(f"{word}\t{source}\n" for word, source in sorted(self.sources.items()))
        vocabulary = "".join(f"{word}\n" for word in self.vocabulary)
        return lexicon.encode("utf-8"), vocabulary.encode("utf-8")

    @property
    def restricted_sources(self) -> frozenset[str]:
        """Sources in the list whose licence forbids passing it on."""
        return NOT_REDISTRIBUTABLE.intersection(self.sources.values())

    def ids(self, words: Sequence[str]) -> list[int]:
        """Return the emotion-vocabulary ids of the emotion words among `words`, in order."""
        ids = self._ids
        return [ids[key] for key in (word.lower() for word in words) if key in ids]
