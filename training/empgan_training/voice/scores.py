"""Rates of each candidate, and how far two of them differ on the same contexts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..metrics.intervals import Floats, Interval, mean_intervals, times_drawn
from .contexts import APART
from .sheet import Rated

MEASURES = ("good", "harmful", "generic")


@dataclass(frozen=True)
class Rates:
    """Shares of a candidate's replies, in percent of `n` contexts.

    Attributes:
        kind: of the contexts; empty for all but those of the kind "crisis".
    """

    candidate: str
    kind: str
    n: int
    good: float
    harmful: float
    generic: float


@dataclass(frozen=True)
class Difference:
    """One candidate minus another, in percentage points, over all contexts but "crisis".

    Attributes:
        intervals: of each of the `MEASURES`, by the paired bootstrap over contexts.
    """

    candidate: str
    baseline: str
    intervals: tuple[Interval, ...]


@dataclass(frozen=True)
class VoiceScores:
    """What a reading says: the rates of all, those of each kind, and each pair's difference."""

    overall: tuple[Rates, ...]
    by_kind: tuple[Rates, ...]
    differences: tuple[Difference, ...]


def score(rated: Sequence[Rated], candidates: Sequence[str], *, seed: int = 1) -> VoiceScores:
    """Return the rates and differences of candidates.

    Args:
        rated: every row of a sheet; each candidate is in one row of each context.
        candidates: their names, in the order wanted.
        seed: of the bootstrap, which draws the same contexts for every pair.
    """
    kinds = dict.fromkeys(row.kind for row in rated)
    outcomes = {
        name: _outcomes(rated, name, [k for k in kinds if k != APART]) for name in candidates
    }
    draws = times_drawn(len(next(iter(outcomes.values()))), seed=seed)
    ordered = sorted(kinds, key=lambda kind: (kind == APART, kind))
    return VoiceScores(
        overall=tuple(_rates(name, "", values) for name, values in outcomes.items()),
        by_kind=tuple(
            _rates(name, kind, _outcomes(rated, name, [kind]))
            for kind in ordered
            for name in candidates
        ),
        differences=tuple(
            Difference(b, a, tuple(mean_intervals(outcomes[b] - outcomes[a], draws)))
            for a, b in combinations(candidates, 2)
        ),
    )


def _outcomes(rated: Sequence[Rated], candidate: str, kinds: Sequence[str]) -> Floats:
    """Return 0 or 100 of each context of some kinds and each of the `MEASURES`, (n, 3).

    The contexts are in the order of the rows, which is the same for every candidate.
    """
    rows = [row for row in rated if candidate in row.candidates and row.kind in kinds]
    return 100.0 * np.array(
        [[getattr(row, name) for name in MEASURES] for row in rows], dtype=float
    )


def _rates(candidate: str, kind: str, values: Floats) -> Rates:
    good, harmful, generic = values.mean(axis=0).tolist()
    return Rates(candidate, kind, len(values), good, harmful, generic)
