"""The most frequent words of the generated replies, emotional ones marked: the paper's Table 4.

The paper leaves out "stop words" without naming its list. Its rows hold pronouns (I, you, it,
That), "would" and "going", and no article, possessive, preposition, form of be, do or have,
negation or punctuation mark; `FUNCTION_WORDS` follows that. Words are counted by cased type, as
the paper's rows hold both "that" and "That".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from empgan_rt.errors import InputError
from empgan_rt.text.emotion_lexicon import EmotionLexicon

from .inputs import TokenLists, check_hypotheses

ARTICLES = "a an the my your his her its our their"  # and possessives
PREPOSITIONS = "about after at before by for from in into of off on out over to up with without"
CONJUNCTIONS = "and as because but if or so than then when while"
AUXILIARIES = (
    "am are is was were be been being do does did have has had having "
    "can may might must shall should will ca wo"
)
NEGATIONS = "no not"
CLITICS = "'s 'm 're 've 'll 'd"
FUNCTION_WORDS = frozenset(
    " ".join((ARTICLES, PREPOSITIONS, CONJUNCTIONS, AUXILIARIES, NEGATIONS, CLITICS)).split()
)


@dataclass(frozen=True)
class FrequentWord:
    """One word of the table.

    Attributes:
        word: the cased type.
        count: how often it occurs in all hypotheses.
        emotional: whether the emotion lexicon holds it.
    """

    word: str
    count: int
    emotional: bool


def most_frequent_words(
    hypotheses: TokenLists, lexicon: EmotionLexicon, limit: int = 10
) -> tuple[FrequentWord, ...]:
    """Return the most frequent words, most frequent first, equally frequent ones by alphabet.

    Left out are tokens without a letter, `FUNCTION_WORDS` in any case and negations ("don't").
    There are fewer than `limit` where the hypotheses hold fewer types.

    Raises:
        DataError: there is no hypothesis.
        InputError: limit is below 1.
    """
    check_hypotheses(hypotheses)
    if limit < 1:
        raise InputError(f"limit is {limit}", hint="give at least 1")
    counts = Counter(token for tokens in hypotheses for token in tokens if _is_content(token))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        FrequentWord(word, count, bool(lexicon.ids([word]))) for word, count in ranked[:limit]
    )


def _is_content(token: str) -> bool:
    """Return whether the token holds a letter and is no function word."""
    word = token.lower()
    # a negation is one by its ending, whether split off or, as by our tokeniser, left whole
    return any(map(str.isalpha, word)) and word not in FUNCTION_WORDS and not word.endswith("n't")
