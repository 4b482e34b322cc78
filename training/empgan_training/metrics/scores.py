"""All text metrics of one system's output, in one value that is ready for a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from empgan_rt.errors import DataError

from .bleu import BleuScores, score_bleu
from .distinct import DistinctScores, score_distinct
from .inputs import check_pairs
from .rouge import RougeScores, score_rouge


@dataclass(frozen=True)
class TextScores:
    """The metrics of the paper's Table 1, each with what it takes to compute it again.

    Attributes:
        n: pairs scored.
        length_ratio: tokens of all hypotheses over tokens of all references.
        empty_hypotheses: hypotheses without a token; they count as wrong everywhere.
    """

    n: int
    length_ratio: float
    empty_hypotheses: int
    bleu: BleuScores
    distinct: DistinctScores
    rouge: RougeScores

    def as_dict(self) -> dict[str, Any]:
        """Return the scores as nested plain values, ready for JSON."""
        return asdict(self)


def score_texts(
    hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> TextScores:
    """Return BLEU, Distinct and ROUGE of hypotheses with one reference each.

    Args:
        hypotheses: tokens of each generated text; one may be empty.
        references: tokens of each reference, in the same order; not all may be empty.

    Raises:
        DataError: the lists are empty or do not pair up, or the references hold no token.
        DependencyError: sacrebleu or rouge-score is missing.
    """
    check_pairs(hypotheses, references)
    reference_tokens = sum(map(len, references))
    if not reference_tokens:
        raise DataError(f"{len(references)} references hold 0 tokens, at least 1 wanted")
    return TextScores(
        n=len(hypotheses),
        length_ratio=sum(map(len, hypotheses)) / reference_tokens,
        empty_hypotheses=sum(not tokens for tokens in hypotheses),
        bleu=score_bleu(hypotheses, references),
        distinct=score_distinct(hypotheses),
        rouge=score_rouge(hypotheses, references),
    )
