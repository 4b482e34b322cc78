"""ROUGE as the `rouge` package on PyPI computed it up to version 0.3.2 (2018).

Papers of those years, by all signs EmpGAN's too, report this package's figures. It differs from
ROUGE-1.5.5 in ways that its author mended in December 2019 (pltrdy/rouge, pull request 38), and
that this module keeps. With H and R the n-gram *sets* of hypothesis and reference,

    ROUGE-n:  P = |H & R| / |H|,   R = |H & R| / |R|,   F = 2 P R / (P + R + 1e-8)
    ROUGE-L:  P = |U| / |H_1|,     R = |U| / |R_1|,     b = P / (R + 1e-12),
              F = (1 + b^2) P R / (R + b^2 P + 1e-12)

where H_1 and R_1 are the unigram sets and U is the set of words on a longest common subsequence
of any sentence of the reference with any of the hypothesis. So repetitions count once, and the
ROUGE-L F leans to the lower of P and R. The package cuts sentences at every full stop, also
within a token, and drops the stop; n-grams cross sentences. A side that holds no sentence raised
an error there, or was left out; here such a pair scores 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .inputs import Ngram, TokenLists, check_pairs, ngrams
from .rouge import RougeScore, RougeScores

SIGNATURE = "nrefs:1|case:mixed|stem:no|tok:none|avg:macro|mode:legacy-rouge-0.3.2"
ZERO = RougeScore(f=0.0, p=0.0, r=0.0)


def score_legacy_rouge(hypotheses: TokenLists, references: TokenLists) -> RougeScores:
    """Return F, P and R of ROUGE-1, ROUGE-2 and ROUGE-L by the rules of `rouge` 0.3.2.

    Raises:
        DataError: the lists are empty or do not pair up.
    """
    check_pairs(hypotheses, references)
    pairs = [
        _score_pair(_sentences(hypothesis), _sentences(reference))
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]
    rouge_1, rouge_2, rouge_l = map(_average, zip(*pairs, strict=True))
    return RougeScores(len(pairs), rouge_1, rouge_2, rouge_l, SIGNATURE)


def _sentences(tokens: Sequence[str]) -> list[list[str]]:
    """Return the words of each sentence: `["No", ".", "I", "see", "."]` as `[[No], [I, see]]`.

    A piece of spaces alone, as between two stops, is a sentence of one empty word: the package's.
    """
    return [piece.split() or [""] for piece in " ".join(tokens).split(".") if piece]


def _score_pair(
    hypothesis: list[list[str]], reference: list[list[str]]
) -> tuple[RougeScore, RougeScore, RougeScore]:
    """Return ROUGE-1, ROUGE-2 and ROUGE-L of one pair of sentence lists, in percent."""
    if not hypothesis or not reference:
        return ZERO, ZERO, ZERO
    grams_1, wanted_1 = _ngram_set(hypothesis, 1), _ngram_set(reference, 1)
    grams_2, wanted_2 = _ngram_set(hypothesis, 2), _ngram_set(reference, 2)
    common = {
        word
        for wanted in reference
        for given in hypothesis
        for word in _common_subsequence(wanted, given)
    }
    return (
        _rouge_n(len(grams_1 & wanted_1), len(grams_1), len(wanted_1)),
        _rouge_n(len(grams_2 & wanted_2), len(grams_2), len(wanted_2)),
        _rouge_l(len(common), len(grams_1), len(wanted_1)),
    )


def _ngram_set(sentences: list[list[str]], order: int) -> set[Ngram]:
    """Return the different n-grams of the sentences joined to one."""
    return set(ngrams([word for sentence in sentences for word in sentence], order))


def _common_subsequence(reference: list[str], hypothesis: list[str]) -> set[str]:
    """Return the words of a longest common subsequence.

    Among several of equal length the package's choice matters, as their words may repeat: on the
    way back from the ends it drops a word of the hypothesis, unless only that loses length.
    """
    rows, columns = len(reference), len(hypothesis)
    lengths = [[0] * (columns + 1) for _ in range(rows + 1)]  # of the prefixes' subsequences
    for i, wanted in enumerate(reference, start=1):
        for j, given in enumerate(hypothesis, start=1):
            lengths[i][j] = (
                lengths[i - 1][j - 1] + 1
                if wanted == given
                else max(lengths[i - 1][j], lengths[i][j - 1])
            )
    words = set()
    i, j = rows, columns
    while i and j:
        if reference[i - 1] == hypothesis[j - 1]:
            words.add(reference[i - 1])
            i, j = i - 1, j - 1
        elif lengths[i - 1][j] > lengths[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return words


def _rouge_n(matches: int, given: int, wanted: int) -> RougeScore:
    """Return ROUGE-n, in percent, from the sizes of H & R, H and R."""
    p, r = matches / max(given, 1), matches / max(wanted, 1)
    return RougeScore(100.0 * 2 * p * r / (p + r + 1e-8), 100.0 * p, 100.0 * r)


def _rouge_l(matches: int, given: int, wanted: int) -> RougeScore:
    """Return ROUGE-L, in percent, from the sizes of U, H_1 and R_1; no set of words is empty."""
    p, r = matches / given, matches / wanted
    weight = (p / (r + 1e-12)) ** 2
    return RougeScore(100.0 * (1 + weight) * p * r / (r + weight * p + 1e-12), 100.0 * p, 100.0 * r)


def _average(scores: tuple[RougeScore, ...]) -> RougeScore:
    """Return the means of F, P and R over the pairs."""
    return RougeScore(
        *(math.fsum(column) / len(scores) for column in zip(*map(_parts, scores), strict=True))
    )


def _parts(score: RougeScore) -> tuple[float, float, float]:
    return score.f, score.p, score.r
