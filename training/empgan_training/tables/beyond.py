"""What the paper does not report: how well, how emotionally and how variedly the systems write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..metrics.diversity import score_diversity
from ..metrics.inputs import TokenLists
from ..systems import SYSTEMS
from .figures import FigureRow, over_seeds
from .results import MAIN, Facts, Perplexities, ReplyEmotions, Run
from .text_scores import HUMAN

Values = dict[str, float | None]


@dataclass(frozen=True)
class Beyond:
    """Scores beyond the paper, of the main kind of replies.

    Attributes:
        n: replies of each system.
        vocabulary_size: V of the adjusted Distinct.
        rows: columns "perplexity_gold", "perplexity_recognised" and "validation_perplexity";
            "reply_emotion_macro_f1", "reply_emotion_accuracy" and "classifier_macro_f1", in
            percent; "adjusted_distinct_1" in percent, "entropy_2" in nats, "self_bleu",
            "repetition_rate" and "generic_rate" in percent, "length_ratio".
        signatures: what it takes to compute self-BLEU again.
    """

    n: int
    vocabulary_size: int
    rows: tuple[FigureRow, ...]
    signatures: Mapping[str, str]


def make_beyond(runs: Sequence[Run], references: TokenLists, vocabulary_size: int) -> Beyond:
    """Return the scores beyond the paper; the last row is of the references.

    Raises:
        DataError: there are fewer than two references.
        InputError: some text holds more different tokens than the vocabulary.
        DependencyError: sacrebleu is missing.
    """

    def of_texts(texts: TokenLists) -> tuple[Values, dict[str, str]]:
        scores = score_diversity(texts, vocabulary_size)
        values: Values = {
            "adjusted_distinct_1": scores.adjusted_distinct_1,
            "entropy_2": scores.entropy_2,
            "self_bleu": scores.self_bleu.value,
            "repetition_rate": scores.repetition_rate,
            "generic_rate": scores.generic_rate,
            "length_ratio": sum(map(len, texts)) / max(sum(map(len, references)), 1),
        }
        return values, {"self-BLEU": scores.self_bleu.signature}

    rows = []
    for system in SYSTEMS:
        mine = [run for run in runs if run.system == system]
        scored = [
            _of_facts(run.facts) | (of_texts(run.replies[MAIN])[0] if MAIN in run.replies else {})
            for run in mine
        ]
        if mine:
            rows.append(FigureRow(system, tuple(run.seed for run in mine), over_seeds(scored)))
    human, signatures = of_texts(references)
    rows.append(FigureRow(HUMAN, (), over_seeds([human])))
    return Beyond(len(references), vocabulary_size, tuple(rows), signatures)


def _of_facts(facts: Facts) -> Values:
    perplexity = facts.perplexity or Perplexities()
    emotions = facts.reply_emotions or ReplyEmotions()
    return {
        "perplexity_gold": perplexity.gold,
        "perplexity_recognised": perplexity.recognised,
        "validation_perplexity": facts.validation_perplexity,
        "reply_emotion_macro_f1": emotions.macro_f1,
        "reply_emotion_accuracy": emotions.accuracy,
        "classifier_macro_f1": emotions.classifier_macro_f1,
    }
