"""Which system is better, with paired 95 % intervals, and which of the paper's orderings hold.

All of it is of one training seed, the lowest: the intervals say how far other test samples could
move a difference, and nothing of how far another training run could.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from ..metrics.bootstrap import TextResamples, resample_texts
from ..metrics.inputs import TokenLists
from ..metrics.intervals import Interval
from ..systems import SYSTEMS, SystemName
from .paper import TABLE_1
from .results import MAIN, Run

BASELINE: SystemName = "EmpG"
COMPARED = ("bleu_4", "bleu_2", "distinct_1", "distinct_2", "rouge_1_f", "rouge_l_f")
# our metric -> the column of the paper that it stands for
ORDERED = {"bleu_2": "bleu", "distinct_2": "distinct_2", "rouge_1_f": "rouge_1_f"}
CHAIN: tuple[SystemName, ...] = ("EmpG", "EmpD", "EmpWD-next", "EmpWD", "EmpGAN")

# (higher, lower), as the paper's text claims: emotion helps (RQ1), multi-resolution helps, then
# one claim a row of the ablation (RQ2), then the whole model against each group's best
CLAIMS: tuple[tuple[SystemName, SystemName], ...] = (
    ("Emo-S2S", "SeqGAN"),
    ("Emo-S2S", "HRED"),
    ("Emo-HRED", "HRED"),
    ("EmpG", "Emo-HRED"),
    ("EmpD", "EmpG"),
    ("EmpWD-next", "EmpD"),
    ("EmpWD", "EmpWD-next"),
    ("EmpGAN", "EmpWD"),
    ("EmpGAN", "EmpG"),
    ("EmpGAN", "Emo-HRED"),
    ("EmpGAN", "HRED"),
)

Verdict = Literal["holds", "undecided", "reversed"]


@dataclass(frozen=True)
class Difference:
    """`system` minus `baseline`: metric -> percentage points, for each of `COMPARED`."""

    system: SystemName
    baseline: SystemName
    intervals: Mapping[str, Interval]


@dataclass(frozen=True)
class Ordering:
    """One claim of the paper, on one metric.

    Attributes:
        metric: of `ORDERED`.
        verdict: "holds" or "reversed" if the interval excludes 0, "undecided" if it does not.
        interval: of higher minus lower, in percentage points.
        paper: the same difference in the paper's own Table 1, which may contradict its text.
    """

    higher: SystemName
    lower: SystemName
    metric: str
    verdict: Verdict
    interval: Interval
    paper: float


@dataclass(frozen=True)
class Comparisons:
    """Differences between the systems of one seed, on the main kind of replies.

    Attributes:
        seed: of training, the lowest that has such replies.
        resamples: of the bootstrap.
        n: samples.
        against_baseline: each system against EmpG.
        against_above: each row of the ablation against the row above it.
        orderings: of every claim whose two systems are there.
    """

    seed: int
    resamples: int
    n: int
    against_baseline: tuple[Difference, ...]
    against_above: tuple[Difference, ...]
    orderings: tuple[Ordering, ...]


def excludes_zero(interval: Interval) -> bool:
    """Return whether 0 lies outside the interval."""
    return interval.low > 0 or interval.high < 0


def make_comparisons(
    runs: Sequence[Run], references: TokenLists, *, resamples: int = 1000
) -> Comparisons:
    """Return the differences of the lowest seed; pairs that are not both there are left out.

    Args:
        runs: at least one with replies of the main kind.

    Raises:
        InputError: fewer than 40 resamples.
        DependencyError: sacrebleu or rouge-score is missing.
    """
    seed = min(run.seed for run in runs if MAIN in run.replies)
    resampled = {
        run.system: resample_texts(run.replies[MAIN], references, resamples=resamples)
        for run in runs
        if run.seed == seed and MAIN in run.replies
    }

    def differences(pairs: Sequence[tuple[SystemName, SystemName]]) -> tuple[Difference, ...]:
        return tuple(
            Difference(a, b, {name: found[name] for name in COMPARED})
            for a, b in pairs
            if a in resampled and b in resampled
            for found in (resampled[a].differences(resampled[b]),)
        )

    others = [(system, BASELINE) for system in SYSTEMS if system != BASELINE]
    return Comparisons(
        seed=seed,
        resamples=resamples,
        n=len(references),
        against_baseline=differences(others),
        against_above=differences([(below, above) for above, below in pairwise(CHAIN)]),
        orderings=_orderings(resampled),
    )


def _orderings(resampled: Mapping[SystemName, TextResamples]) -> tuple[Ordering, ...]:
    found = []
    for higher, lower in CLAIMS:
        if higher in resampled and lower in resampled:
            intervals = resampled[higher].differences(resampled[lower])
            for metric, column in ORDERED.items():
                printed = round(TABLE_1[higher][column] - TABLE_1[lower][column], 2)
                interval = intervals[metric]
                found.append(Ordering(higher, lower, metric, _verdict(interval), interval, printed))
    return tuple(found)


def _verdict(interval: Interval) -> Verdict:
    if not excludes_zero(interval):
        return "undecided"
    return "holds" if interval.low > 0 else "reversed"
