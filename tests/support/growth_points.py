"""Points of an axis whose stage times are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from empgan_bench.engines.base import Timing
from empgan_bench.measuring.gate import Cell, Verdict
from empgan_bench.measuring.timing import Series, Visit
from empgan_bench.scaling.growth import Growth, Point, growths_of
from empgan_bench.scaling.plan import AXES, Place, Setting

BASE = Setting(8, 5, 4, 1_000, 2)
CELL = Cell(8, 5, "fixed")


def make_series(stages: Sequence[float], noise: float = 0.0, seed: int = 0) -> Series:
    """Return twelve rounds whose encode, step and search cost so much, times 1 +- noise."""
    draw = np.random.default_rng(seed)
    visits = [
        Visit(i // 2, i % 2, [_timing(*(ms * draw.uniform(1 - noise, 1 + noise) for ms in stages))])
        for i in range(24)
    ]
    return Series("ours", CELL, [], visits)


def _timing(encode_ms: float, step_ms: float, search_ms: float) -> Timing:
    total_ms = encode_ms + step_ms + search_ms
    return Timing(encode_ms, step_ms, search_ms, total_ms, encode_ms, 20, 8, 160)


def make_point(
    axis: str,
    value: int,
    stages: Sequence[float],
    read: int | None = None,
    noise: float = 0.0,
    again: bool = False,
) -> Point:
    """Return a point of one engine."""
    setting = Setting(**{name: getattr(BASE, name) for name in AXES} | {axis: value})
    turns_read = setting.turns if read is None else read
    series = make_series(stages, noise, value)
    verdict = Verdict("ours", CELL, 8, 0, 0)
    return Point(Place(axis, value, setting, again), turns_read, 0.0, [series], [verdict], [])


def make_growth(axis: str, costs: Mapping[int, Sequence[float]], noise: float = 0.0) -> Growth:
    """Return the growth over these stages by value; the last point is measured again."""
    points = [make_point(axis, value, stages, noise=noise) for value, stages in costs.items()]
    value, stages = [*costs.items()][-1]
    points.append(make_point(axis, value, stages, noise=noise, again=True))
    (found,) = growths_of(points, 0)
    return found
