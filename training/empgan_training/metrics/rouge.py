"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), computed by Google's rouge-score.

For one pair, with m the clipped n-gram matches (ROUGE-n) or the length of the longest common
subsequence (ROUGE-L),

    P = m / n-grams of the hypothesis,   R = m / n-grams of the reference,   F = 2 P R / (P + R).

Each of P, R and F is then averaged over the pairs (macro-average), so the F given is the mean of
F and not the F of the means. A side without n-grams makes all three 0 for that pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.metadata import version

from .inputs import TokenLists, check_pairs, import_eval_package, join_tokens

ROUGE_TYPES = ("rouge1", "rouge2", "rougeL")


@dataclass(frozen=True)
class RougeScore:
    """Macro-averages over the pairs, in percent."""

    f: float
    p: float
    r: float


@dataclass(frozen=True)
class RougeScores:
    """ROUGE-1, ROUGE-2 and ROUGE-L of the same pairs.

    Attributes:
        n: pairs scored.
        signature: what it takes to compute the values again, in sacrebleu's form.
    """

    n: int
    rouge_1: RougeScore
    rouge_2: RougeScore
    rouge_l: RougeScore
    signature: str


class WhitespaceTokenizer:
    """What rouge-score asks of a tokenizer; its own drops punctuation and lowers case."""

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens between white space, unchanged."""
        return text.split()


def score_rouge(hypotheses: TokenLists, references: TokenLists) -> RougeScores:
    """Return F, P and R of ROUGE-1, ROUGE-2 and ROUGE-L, with one reference per hypothesis.

    Tokens are taken as they come: no stemming, case and punctuation kept.

    Raises:
        DataError: the lists are empty or do not pair up.
        DependencyError: rouge-score is missing.
    """
    check_pairs(hypotheses, references)
    scorer = import_eval_package("rouge_score.rouge_scorer").RougeScorer(
        list(ROUGE_TYPES), use_stemmer=False, tokenizer=WhitespaceTokenizer()
    )
    pairs = [
        scorer.score(target=reference, prediction=hypothesis)
        for hypothesis, reference in zip(
            join_tokens(hypotheses), join_tokens(references), strict=True
        )
    ]

    def average(rouge_type: str) -> RougeScore:
        precision, recall, f = (
            100.0 * math.fsum(column) / len(pairs)
            for column in zip(*(pair[rouge_type] for pair in pairs), strict=True)
        )
        return RougeScore(f, precision, recall)

    rouge_1, rouge_2, rouge_l = map(average, ROUGE_TYPES)
    signature = (
        f"nrefs:1|case:mixed|stem:no|tok:none|avg:macro|rouge-score:{version('rouge-score')}"
    )
    return RougeScores(len(pairs), rouge_1, rouge_2, rouge_l, signature)
