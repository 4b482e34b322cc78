"""How cost grows along an axis: in which stretches, with which exponent, because of which stage."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from ..measuring.gate import Difference, Verdict
from ..measuring.stats import Interval, median_interval
from ..measuring.timing import Series
from .plan import AXES, Place
from .slope import Departure, Kind, Slopes, round_times, stage_medians


class Point(msgspec.Struct, frozen=True):
    """All engines at one place of an axis.

    Attributes:
        turns_read: turns of each dialogue within the limit of the bundle.
        repeated_turns: share of a batch's turns that came before in it; engines that read a turn
            once have so much less to encode.
        series: the raw times, the reference first.
        verdicts: the gate's, in the same order.
        differences: ties and mismatches, each listed once.
    """

    place: Place
    turns_read: int
    repeated_turns: float
    series: list[Series]
    verdicts: list[Verdict]
    differences: list[Difference]


class Cost(msgspec.Struct, frozen=True):
    """What a batch costs one engine at one value.

    Attributes:
        batch_ms: median with its interval.
        stages_ms: medians by stage.
        exponent: from the value before to this one; None for the first, and where turns are not
            read.
    """

    value: int
    batch_ms: Interval
    stages_ms: dict[str, float]
    exponent: Interval | None


class Stretch(msgspec.Struct, frozen=True):
    """Neighbouring values between which cost grows in one manner.

    Attributes:
        kind: "below" or "above" linear growth, "linear", or "unclear" where the exponent is far
            from linear but its interval is not.
        exponent: over the whole stretch.
        departures: of a batch at `last` from linear growth since `first`, largest first.
    """

    first: int
    last: int
    kind: Kind
    exponent: Interval
    departures: list[Departure]

    @property
    def departure_ms(self) -> float:
        """Time of a batch at `last` above linear growth since `first`."""
        return sum(departure.ms for departure in self.departures)


class Growth(msgspec.Struct, frozen=True):
    """One engine along one axis.

    Attributes:
        costs: at every value.
        stretches: of the values whose turns are all read.
        drift: by what share the base point was slower in one of its two measurements.
        turns_read: the limit of the bundle, where the axis goes beyond it.
    """

    axis: str
    engine: str
    costs: list[Cost]
    stretches: list[Stretch]
    drift: float
    turns_read: int | None = None

    @property
    def bends_at(self) -> int | None:
        """The first value from which cost is not linear; None if there is none."""
        bent = (s.first for s in self.stretches if s.kind in ("below", "above"))
        return next(bent, None)


def growths_of(points: Sequence[Point], seed: int) -> list[Growth]:
    """Return the growth of each engine along each axis that the points lie on."""
    found = []
    for _, group in itertools.groupby(points, key=lambda point: point.place.axis):
        along = [*group]
        found += [_growth(along, series.engine, seed) for series in along[0].series]
    return found


def _growth(points: Sequence[Point], engine: str, seed: int) -> Growth:
    """Return the growth of one engine along the axis of these points."""
    axis = points[0].place.axis
    along = [point for point in points if not point.place.again]
    read = [point for point in along if point.turns_read == point.place.setting.turns]
    mine = {point.place.value: _series(point, engine) for point in along}
    drift = _drift(points, engine)
    slopes = Slopes(mine, AXES[axis].ideal, drift, seed)
    values = [point.place.value for point in read]
    pairs = {last: (first, last) for first, last in itertools.pairwise(values)}
    costs = [
        Cost(
            value,
            median_interval(round_times(series), seed),
            stage_medians(series),
            slopes.exponent(*pairs[value]) if value in pairs else None,
        )
        for value, series in mine.items()
    ]
    kinds = {last: slopes.kind(*pair) for last, pair in pairs.items()}
    for kind, first, last in _runs(values, kinds):
        if kind == "unclear":  # between neighbours, but perhaps not over all of them
            whole = slopes.kind(first, last)
            kinds |= {value: whole for value in kinds if first < value <= last}
    stretches = [
        Stretch(first, last, kind, slopes.exponent(first, last), slopes.departures(first, last))
        for kind, first, last in _runs(values, kinds)
    ]
    limit = None if len(read) == len(along) else along[-1].turns_read
    return Growth(axis, engine, costs, stretches, drift, limit)


def _runs(values: Sequence[int], kinds: Mapping[int, Kind]) -> list[tuple[Kind, int, int]]:
    """Return kind, first and last value of each run of neighbours of one kind."""
    found = []
    for kind, run in itertools.groupby(itertools.pairwise(values), key=lambda pair: kinds[pair[1]]):
        pairs = [*run]
        found.append((kind, pairs[0][0], pairs[-1][1]))
    return found


def _series(point: Point, engine: str) -> Series:
    return next(series for series in point.series if series.engine == engine)


def _drift(points: Sequence[Point], engine: str) -> float:
    """Return by what share the slower measurement of the base point exceeds the other."""
    again = next(point for point in points if point.place.again)
    base = [point for point in points if point.place.setting == again.place.setting]
    times = [float(np.median(round_times(_series(point, engine)))) for point in base]
    return max(times) / min(times) - 1.0
