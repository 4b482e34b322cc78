"""Exponents between the values of an axis, and what stages cost above or below linear growth.

The exponent between two values is the slope of log time over log value. It is called other than
linear if it is further than TOLERANCE from linear and its interval excludes linear. That is the
95 % interval of the bootstrap, widened by what the base point changed while the axis was measured:
neither noise nor drifting load must pass for a bend.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np

from ..measuring.stats import Interval, unpaired_ratio
from ..measuring.timing import Series

TOLERANCE = 0.15
STAGES = ("encode", "step", "search")
Kind = Literal["below", "linear", "above", "unclear"]


class Departure(msgspec.Struct, frozen=True):
    """What a stage costs above linear growth (below: negative), and its own exponent."""

    stage: str
    ms: float
    exponent: float | None  # None if the clock saw no time


class Slopes:
    """One engine along one axis.

    Args:
        series: the raw times by value.
        ideal: exponent of linear cost.
        drift: by what share the base point was slower in one of its two measurements.
        seed: of the bootstrap.
    """

    def __init__(self, series: Mapping[int, Series], ideal: int, drift: float, seed: int) -> None:
        self._times = {value: round_times(one) for value, one in series.items()}
        self._stages = {value: stage_medians(one) for value, one in series.items()}
        self._ideal, self._drift, self._seed = ideal, drift, seed

    def exponent(self, first: int, last: int) -> Interval:
        """Return the exponent between two values, its interval widened by the drift."""
        ratio = unpaired_ratio(self._times[last], self._times[first], self._seed)
        value, low, high = (
            math.log(x) / math.log(last / first) for x in (ratio.value, ratio.low, ratio.high)
        )
        wider = math.log1p(self._drift) / math.log(last / first)
        return Interval(value, low - wider, high + wider)

    def kind(self, first: int, last: int) -> Kind:
        """Return how cost grows between two values."""
        return kind_of(self.exponent(first, last), self._ideal)

    def departures(self, first: int, last: int) -> list[Departure]:
        """Return what each stage costs above linear growth at `last`, the main cause first.

        Together they are what all stages cost above it.
        """
        before, after = self._stages[first], self._stages[last]
        grown = (last / first) ** self._ideal
        found = []
        for stage in STAGES:
            exponent = None
            if before[stage] > 0 and after[stage] > 0:
                exponent = math.log(after[stage] / before[stage]) / math.log(last / first)
            found.append(Departure(stage, after[stage] - before[stage] * grown, exponent))
        sign = math.copysign(1.0, sum(departure.ms for departure in found))
        return sorted(found, key=lambda departure: -sign * departure.ms)


def kind_of(exponent: Interval, ideal: int) -> Kind:
    """Return how cost grows with this exponent, where `ideal` is linear."""
    if abs(exponent.value - ideal) <= TOLERANCE:
        return "linear"
    if exponent.low <= ideal <= exponent.high:
        return "unclear"
    return "below" if exponent.value < ideal else "above"


def round_times(series: Series) -> list[float]:
    """Return the ms of a batch in each round: the mean of its two visits."""
    return [both / 2 for both in series.by_round()]


def stage_medians(series: Series) -> dict[str, float]:
    """Return the median ms of a batch by stage, over the same rounds."""
    ordered = sorted(series.visits, key=lambda visit: visit.round)
    timings = [timing for visit in ordered for timing in visit.timings]
    stages = np.array([[getattr(t, f"{stage}_ms") for stage in STAGES] for t in timings])
    by_round = stages.reshape(-1, 2, len(STAGES)).mean(axis=1)
    return dict(zip(STAGES, np.median(by_round, axis=0).tolist(), strict=True))
