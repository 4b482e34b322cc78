"""Distinct-1 and Distinct-2 (Li et al. 2016, "A Diversity-Promoting Objective Function").

    Distinct-n = different n-grams of all hypotheses / n-grams of all hypotheses

n-grams are tuples, so ("a", "bc") and ("ab", "c") differ, and never cross from one hypothesis to
the next. Li et al. divide both by the number of tokens; we divide by the number of n-grams, as
later work does. The value falls as the number of hypotheses grows: compare only at equal n.
"""

from __future__ import annotations

from dataclasses import dataclass

from .inputs import TokenLists, check_hypotheses, ngrams


@dataclass(frozen=True)
class DistinctScores:
    """Shares of different n-grams, with the counts that the values depend on.

    Attributes:
        n: hypotheses counted.
        distinct_1: different unigrams, in percent of unigrams.
        distinct_2: different bigrams, in percent of bigrams.
        unigrams: unigrams in all hypotheses, repetitions included.
        bigrams: bigrams in all hypotheses, repetitions included.
    """

    n: int
    distinct_1: float
    distinct_2: float
    unigrams: int
    bigrams: int


def score_distinct(hypotheses: TokenLists) -> DistinctScores:
    """Return Distinct-1 and Distinct-2 over all hypotheses; 0 where there is no n-gram.

    Raises:
        DataError: there is no hypothesis.
    """
    check_hypotheses(hypotheses)
    distinct_1, unigrams = _distinct(hypotheses, 1)
    distinct_2, bigrams = _distinct(hypotheses, 2)
    return DistinctScores(len(hypotheses), distinct_1, distinct_2, unigrams, bigrams)


def _distinct(hypotheses: TokenLists, order: int) -> tuple[float, int]:
    """Return the percentage of different n-grams, and the number of n-grams."""
    grams = [gram for tokens in hypotheses for gram in ngrams(tokens, order)]
    return 100.0 * len(set(grams)) / max(len(grams), 1), len(grams)
