"""Table 1: BLEU, Distinct and both ROUGEs of every system, for one kind of replies.

A row of the references, "Human", says how varied people write; BLEU and ROUGE of a reference
against itself would say nothing, so these cells stay empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from ..metrics.distinct import score_distinct
from ..metrics.inputs import TokenLists
from ..metrics.legacy_rouge import score_legacy_rouge
from ..metrics.rouge import RougeScores
from ..metrics.scores import score_texts
from ..scoring.decoding import Labels
from .figures import FigureRow, over_seeds
from .results import Kind, Run, Search, runs_with

HUMAN = "Human"


@dataclass(frozen=True)
class TextTable:
    """Table 1 for one kind of replies.

    Attributes:
        search, labels: the kind.
        n: replies of each system.
        rows: columns "bleu_1" to "bleu_4", "distinct_1", "distinct_2", "rouge_1_f" and so on to
            "rouge_l_r", and "legacy_rouge_1_f" to "legacy_rouge_l_r", all in percent.
        signatures: metric -> what it takes to compute the values again.
    """

    search: Search
    labels: Labels
    n: int
    rows: tuple[FigureRow, ...]
    signatures: Mapping[str, str]


def make_text_table(runs: Sequence[Run], kind: Kind, references: TokenLists) -> TextTable | None:
    """Return Table 1 for one kind of replies; None if no run has such.

    Raises:
        DataError: the references hold no token.
        DependencyError: sacrebleu or rouge-score is missing.
    """
    rows = []
    signatures: dict[str, str] = {}
    for system, mine in runs_with(runs, kind):
        scored = []
        for run in mine:
            values, signatures = _score(run.replies[kind], references)
            scored.append(values)
        rows.append(FigureRow(system, tuple(run.seed for run in mine), over_seeds(scored)))
    if not rows:
        return None
    rows.append(FigureRow(HUMAN, (), over_seeds([_distinct(references)])))
    return TextTable(kind.search, kind.labels, len(references), tuple(rows), signatures)


def _score(
    hypotheses: TokenLists, references: TokenLists
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return one run's values by column, and the signatures."""
    scores = score_texts(hypotheses, references)
    legacy = score_legacy_rouge(hypotheses, references)
    bleu = scores.bleu
    values: dict[str, float | None] = {
        "bleu_1": bleu.bleu_1.value,
        "bleu_2": bleu.bleu_2.value,
        "bleu_3": bleu.bleu_3.value,
        "bleu_4": bleu.bleu_4.value,
        **_distinct(hypotheses),
        **_rouge("rouge", scores.rouge),
        **_rouge("legacy_rouge", legacy),
    }
    signatures = {
        "BLEU": bleu.bleu_4.signature,
        "ROUGE": scores.rouge.signature,
        "legacy ROUGE": legacy.signature,
    }
    return values, signatures


def _distinct(hypotheses: TokenLists) -> dict[str, float | None]:
    scores = score_distinct(hypotheses)
    return {"distinct_1": scores.distinct_1, "distinct_2": scores.distinct_2}


def _rouge(name: str, scores: RougeScores) -> dict[str, float]:
    by_type = {"1": scores.rouge_1, "2": scores.rouge_2, "l": scores.rouge_l}
    return {
        f"{name}_{kind}_{part}": value
        for kind, score in by_type.items()
        for part, value in asdict(score).items()
    }
