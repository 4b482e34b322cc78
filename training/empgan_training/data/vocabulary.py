"""Corpus to vocabularies: the general one and the emotion words'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.tokenizer import Tokenizer

from .lexicon_sources import adjectives, lexicon_terms

PAPER_VOCABULARY = 11_647
PAPER_EMOTION_VOCABULARY = 6_389


@dataclass(frozen=True)
class VocabularyOptions:
    """How words are chosen.

    Attributes:
        max_words: most entries of the general vocabulary, specials not counted.
        min_count: a word seen less often in the training split is unknown.
        lowercase: read all text in lower case.
        lexicon: "vader", "nrclex" or the path of NRC's TSV.
    """

    max_words: int = PAPER_VOCABULARY - 4
    min_count: int = 2
    lowercase: bool = False
    lexicon: str = "vader"


def build_tokenizer(turns: Iterable[str], options: VocabularyOptions) -> Tokenizer:
    """Return the tokenizer whose vocabulary is the most frequent words of some turns."""
    rules = Tokenizer.from_words([], lowercase=options.lowercase)
    counts = Counter(word for turn in turns for word in rules.words(turn))
    words = _frequent(counts, options.min_count)[: options.max_words]
    return Tokenizer.from_words(words, lowercase=options.lowercase)


def build_lexicon(sentences: Sequence[list[str]], options: VocabularyOptions) -> EmotionLexicon:
    """Return the frozen emotion word list of a tokenised corpus, and its vocabulary.

    The list is the lexicon's terms and the corpus's adjectives (paper, "Dataset"); ids go to
    types that occur at least `min_count` times.
    """
    name, terms = lexicon_terms(options.lexicon)
    sources = dict.fromkeys(adjectives(sentences), "adjective") | dict.fromkeys(terms, name)
    counts = Counter(word.lower() for sentence in sentences for word in sentence)
    emotional = Counter({word: n for word, n in counts.items() if word in sources})
    return EmotionLexicon(sources, _frequent(emotional, options.min_count))


def _frequent(counts: Counter[str], min_count: int) -> list[str]:
    """Return the words seen often enough, most frequent first, ties in code point order."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [word for word, count in ranked if count >= min_count]
