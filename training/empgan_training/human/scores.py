"""Scores from filled sheets: the paper's Table 2, with agreement between the raters.

The paper gives a mean and a standard deviation per system and does not say of what. Whole numbers
with a mean of 1.23 deviate by at least sqrt(0.23 * 0.77) = 0.42, so its 0.27 cannot be the
deviation of single ratings. Both that one and the deviation between raters, which the paper reads
its figure as, are given here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from empgan_rt.errors import DataError

from ..metrics.inputs import import_eval_package
from .key import CRITERIA, read_key
from .ratings import Ratings, read_sheets


@dataclass(frozen=True)
class CriterionScores:
    """One system's ratings on one criterion, from 0 to 2; None is what nobody rated.

    Attributes:
        mean: of all ratings.
        stdev: of all ratings, by n - 1; needs two.
        stdev_between_raters: of the ratings of one reply, by n - 1, averaged over the replies
            that have two.
        n: ratings.
        missing: ratings that raters left out; empty sheets do not count.
    """

    mean: float | None
    stdev: float | None
    stdev_between_raters: float | None
    n: int
    missing: int


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha for ordinal ratings, over the replies of all systems.

    Attributes:
        value: 1 is full agreement, 0 what chance gives; None if it is not defined.
        reason: why it is not; empty if it is.
        replies: those with two ratings or more, the only ones that count.
        signature: what it takes to compute the value again; empty without one.
    """

    value: float | None
    reason: str
    replies: int
    signature: str


@dataclass(frozen=True)
class HumanScores:
    """The scores that the raters gave.

    Attributes:
        seed: of the draw.
        contexts: drawn.
        sheets: those with a rating in them.
        empty_sheets: those without, which were left out.
        systems: system -> criterion -> scores.
        alpha: criterion -> agreement.
    """

    seed: int
    contexts: int
    sheets: tuple[str, ...]
    empty_sheets: tuple[str, ...]
    systems: Mapping[str, Mapping[str, CriterionScores]]
    alpha: Mapping[str, Agreement]

    def as_dict(self) -> dict[str, Any]:
        """Return the scores as nested plain values, ready for JSON."""
        return asdict(self)


def score_sheets(folder: Path) -> HumanScores:
    """Return the scores of a folder of filled sheets.

    Raises:
        InputError: the folder holds no key.
        DataError: the key or a sheet is damaged, or nobody rated anything.
        DependencyError: krippendorff is missing.
    """
    key = read_key(folder)
    by_sheet = read_sheets(folder, key)
    rated = {name: sheet for name, sheet in by_sheet.items() if _has_rating(sheet)}
    if not rated:
        raise DataError(
            f"nothing was rated in {len(by_sheet)} sheets, at least 1 rating wanted",
            hint="fill in the columns content and empathy",
        )
    sheets = list(rated.values())
    rows_of: dict[str, list[str]] = {system: [] for system in key.draw.predictions}
    for row, reply in key.rows.items():
        rows_of[reply.system].append(row)
    return HumanScores(
        seed=key.draw.seed,
        contexts=len({reply.sample for reply in key.rows.values()}),
        sheets=tuple(rated),
        empty_sheets=tuple(name for name in by_sheet if name not in rated),
        systems={
            system: {c: criterion_scores(_by_reply(sheets, c, rows), len(sheets)) for c in CRITERIA}
            for system, rows in rows_of.items()
        },
        alpha={c: agreement(_by_reply(sheets, c, list(key.rows))) for c in CRITERIA},
    )


def criterion_scores(replies: Sequence[Sequence[int]], raters: int) -> CriterionScores:
    """Return the scores of one system on one criterion.

    Args:
        replies: the ratings that each reply got, from no to `raters` of them.
    """
    ratings = [rating for reply in replies for rating in reply]
    between = [stdev(reply) for reply in replies if len(reply) > 1]
    return CriterionScores(
        mean=fmean(ratings) if ratings else None,
        stdev=stdev(ratings) if len(ratings) > 1 else None,
        stdev_between_raters=fmean(between) if between else None,
        n=len(ratings),
        missing=raters * len(replies) - len(ratings),
    )


def agreement(replies: Sequence[Sequence[int]]) -> Agreement:
    """Return Krippendorff's alpha (2011, "Computing Krippendorff's alpha-reliability").

    Args:
        replies: the ratings that each reply got, at most one by a rater, in any order.

    Raises:
        DependencyError: krippendorff is missing.
    """
    paired = [reply for reply in replies if len(reply) > 1]
    if not paired:
        return Agreement(None, "no reply was rated by two raters", 0, "")
    if len({rating for reply in paired for rating in reply}) == 1:
        return Agreement(None, "every rating is the same", len(paired), "")
    counts = [Counter(reply) for reply in paired]
    value = import_eval_package("krippendorff").alpha(
        value_counts=[[count[rating] for rating in (0, 1, 2)] for count in counts],
        level_of_measurement="ordinal",
    )
    signature = f"level:ordinal|krippendorff:{version('krippendorff')}"
    return Agreement(float(value), "", len(paired), signature)


def _has_rating(sheet: Ratings) -> bool:
    return any(rating is not None for column in sheet.values() for rating in column.values())


def _by_reply(sheets: Sequence[Ratings], criterion: str, rows: Sequence[str]) -> list[list[int]]:
    """Return the ratings of each row on a criterion, those that there are."""
    return [
        [rating for sheet in sheets if (rating := sheet[criterion][row]) is not None]
        for row in rows
    ]
