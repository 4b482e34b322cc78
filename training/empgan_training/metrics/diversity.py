"""How varied one system's replies are: adjusted Distinct, entropy, self-BLEU, repeated replies.

Expectation-adjusted Distinct (Liu et al. 2022, arXiv 2202.13587) divides the D different tokens
by the number that C independent uniform draws from V types would give, so that it does not fall
with the length of the text as Distinct does:

    EAD = D / (V * (1 - ((V - 1) / V) ** C))

It is given for unigrams only: of the V^2 bigrams next to none would be drawn twice, so for them
it equals Distinct-2. n-gram entropy (Ent-n, Zhang et al. 2018), in nats, is taken over the pooled
n-grams of all hypotheses, with p(g) = count of g / count of all:

    Ent-n = -sum_g p(g) log p(g)

Self-BLEU (Zhu et al. 2018, Texygen) is the mean over the hypotheses of sentence BLEU-4 with all
the other hypotheses as references: higher means less varied. Smoothing is sacrebleu's "exp" with
effective order, and not NLTK's, so values compare among ours only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise

from empgan_rt.errors import DataError, InputError

from .bleu import BleuScore
from .inputs import Ngram, TokenLists, import_eval_package, ngrams

ORDERS = (1, 2, 3, 4)


@dataclass(frozen=True)
class DiversityScores:
    """The variety of the hypotheses; every value depends on n, so compare only at equal n.

    Attributes:
        n: hypotheses counted.
        vocabulary_size: V of the adjusted Distinct.
        adjusted_distinct_1: expectation-adjusted Distinct of unigrams, in percent; it passes 100
            where tokens repeat less than uniform draws would.
        entropy_1: entropy of the unigrams, in nats.
        entropy_2: entropy of the bigrams, in nats.
        self_bleu: mean BLEU-4 of each hypothesis against all others.
        repetition_rate: share of hypotheses in which a token directly follows itself or some
            trigram occurs twice, in percent; punctuation counts like any token.
        generic_rate: share of hypotheses whose whole token sequence is also that of another
            hypothesis, in percent.
    """

    n: int
    vocabulary_size: int
    adjusted_distinct_1: float
    entropy_1: float
    entropy_2: float
    self_bleu: BleuScore
    repetition_rate: float
    generic_rate: float


def score_diversity(hypotheses: TokenLists, vocabulary_size: int) -> DiversityScores:
    """Return how varied the hypotheses of one system are.

    Args:
        hypotheses: tokens of each generated text; one may be empty.
        vocabulary_size: number of types that the system can generate.

    Raises:
        DataError: there are fewer than two hypotheses.
        InputError: the hypotheses hold more different tokens than the vocabulary.
        DependencyError: sacrebleu is missing.
    """
    n = len(hypotheses)
    if n < 2:
        raise DataError(f"{n} hypotheses to compare, at least 2 wanted")
    unigrams, bigrams = (
        Counter(gram for tokens in hypotheses for gram in ngrams(tokens, order)) for order in (1, 2)
    )
    if vocabulary_size < max(len(unigrams), 1):
        raise InputError(
            f"vocabulary_size is {vocabulary_size}, at least {max(len(unigrams), 1)} wanted",
            hint="give the size of the vocabulary that the hypotheses were generated from",
        )
    texts = Counter(map(tuple, hypotheses))
    return DiversityScores(
        n=n,
        vocabulary_size=vocabulary_size,
        adjusted_distinct_1=_adjusted_distinct(len(unigrams), unigrams.total(), vocabulary_size),
        entropy_1=_entropy(unigrams),
        entropy_2=_entropy(bigrams),
        self_bleu=_self_bleu(hypotheses),
        repetition_rate=100.0 * sum(map(_repeats_itself, hypotheses)) / n,
        generic_rate=100.0 * sum(count for count in texts.values() if count > 1) / n,
    )


def _adjusted_distinct(different: int, total: int, vocabulary_size: int) -> float:
    """Return EAD in percent, 0 where there is no token."""
    if not total:
        return 0.0
    drawn = vocabulary_size * (1 - ((vocabulary_size - 1) / vocabulary_size) ** total)
    return 100.0 * different / drawn


def _entropy(counts: Counter[Ngram]) -> float:
    """Return the entropy of the counted n-grams in nats, 0 where there is none."""
    total = counts.total()
    return math.fsum(count / total * math.log(total / count) for count in counts.values())


def _repeats_itself(tokens: Sequence[str]) -> bool:
    """Return whether a token directly follows itself or a trigram occurs twice."""
    trigrams = ngrams(tokens, 3)
    return len(set(trigrams)) < len(trigrams) or any(a == b for a, b in pairwise(tokens))


def _self_bleu(hypotheses: TokenLists) -> BleuScore:
    """Return the mean of sentence BLEU-4 of each hypothesis against all others.

    BLEU clips a count at the highest count in any reference. That of "all but this one" is the
    highest over all hypotheses or, where this one alone holds it, the second highest: so the
    work grows with the tokens and not with the pairs.
    """
    bleu = import_eval_package("sacrebleu.metrics.bleu").BLEU
    counters = [Counter(g for order in ORDERS for g in ngrams(t, order)) for t in hypotheses]
    highest: dict[Ngram, tuple[int, int]] = {}
    for counter in counters:
        for gram, count in counter.items():
            first, second = highest.get(gram, (0, 0))
            highest[gram] = (max(first, count), max(second, min(first, count)))
    lengths = Counter(map(len, hypotheses))
    scores = []
    for tokens, counter in zip(hypotheses, counters, strict=True):
        matches = dict.fromkeys(ORDERS, 0)
        for gram, count in counter.items():
            first, second = highest[gram]
            matches[len(gram)] += min(count, second if count == first else first)
        result = bleu.compute_bleu(
            correct=list(matches.values()),
            total=[max(len(tokens) - order + 1, 0) for order in ORDERS],
            sys_len=len(tokens),
            ref_len=_closest_other_length(len(tokens), lengths),
            smooth_method="exp",
            effective_order=True,
        )
        scores.append(float(result.score))
    signature = (
        f"nrefs:{len(hypotheses) - 1}|case:mixed|eff:yes|tok:none|smooth:exp|avg:macro|"
        f"version:{version('sacrebleu')}"
    )
    return BleuScore(math.fsum(scores) / len(scores), signature)


def _closest_other_length(length: int, lengths: Counter[int]) -> int:
    """Return the length closest to this text's among the others', the shorter of two as close."""
    if lengths[length] > 1:
        return length
    return min((abs(other - length), other) for other in lengths if other != length)[1]
