"""Percentiles, bootstrap intervals and paired ratios of measured times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

MIN_FOR_P95 = 20  # below, p95 is next to nothing but the largest value
MIN_FOR_P99 = 1000  # below, p99 rests on fewer than ten samples
NOISE_LIMIT = 0.03
_RESAMPLES = 2000
_CHUNK = 1 << 20  # resampled values held at a time

FloatSeries = npt.NDArray[np.float64]


class Summary(msgspec.Struct, frozen=True):
    """Percentiles of n values (linear interpolation) and the 95 % interval of the median."""

    n: int
    p50: float
    p50_low: float
    p50_high: float
    p90: float
    p95: float | None  # withheld below MIN_FOR_P95 values
    p99: float | None  # withheld below MIN_FOR_P99 values
    max: float

    @property
    def high(self) -> float:
        """p95, or the largest value where p95 is withheld."""
        return self.max if self.p95 is None else self.p95


class Interval(msgspec.Struct, frozen=True):
    """An estimate and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def summarise(values: Sequence[float], seed: int = 0) -> Summary:
    """Return the percentiles of at least one value."""
    series = np.asarray(values, np.float64)
    p50, p90, p95, p99 = (float(p) for p in np.percentile(series, (50, 90, 95, 99)))
    middle = median_interval(values, seed)
    return Summary(
        n=len(series),
        p50=p50,
        p50_low=middle.low,
        p50_high=middle.high,
        p90=p90,
        p95=p95 if len(series) >= MIN_FOR_P95 else None,
        p99=p99 if len(series) >= MIN_FOR_P99 else None,
        max=float(series.max()),
    )


def summary_of_known(values: Sequence[float | None], seed: int = 0) -> Summary | None:
    """Return the percentiles of the values that are there; None if there is none."""
    known = [value for value in values if value is not None]
    return summarise(known, seed) if known else None


def median_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """Return the median with its 95 % percentile-bootstrap interval (Efron 1979)."""
    series = np.asarray(values, np.float64)
    low, high = np.percentile(_medians(series, np.random.default_rng(seed)), (2.5, 97.5))
    return Interval(float(np.median(series)), float(low), float(high))


def unpaired_ratio(above: Sequence[float], below: Sequence[float], seed: int = 0) -> Interval:
    """Return the ratio of two medians with its interval; each series is resampled by itself."""
    draw = np.random.default_rng(seed)
    one, other = (np.asarray(values, np.float64) for values in (above, below))
    low, high = np.percentile(_medians(one, draw) / _medians(other, draw), (2.5, 97.5))
    return Interval(float(np.median(one) / np.median(other)), float(low), float(high))


def paired_ratio(above: Sequence[float], below: Sequence[float], seed: int = 0) -> Interval:
    """Return the median of `above[i] / below[i]` with its interval; rounds are resampled whole.

    Both series belong to the same rounds, so load that comes and goes cancels.
    """
    ratios = np.asarray(above, np.float64) / np.asarray(below, np.float64)
    return median_interval(ratios.tolist(), seed)


def _medians(series: FloatSeries, draw: np.random.Generator) -> FloatSeries:
    """Return the medians of `_RESAMPLES` resamples."""
    drawn = _resamples(len(series), draw)
    return np.concatenate([np.median(series[places], axis=1) for places in drawn])


def trend(places: Sequence[float], values: Sequence[float], seed: int = 0) -> Interval:
    """Return the slope of the least-squares line through values at ten places or more.

    Pairs are resampled; of fewer, some resample would hold one place only.
    """
    pairs = np.array([places, values], np.float64)
    drawn = _resamples(len(places), np.random.default_rng(seed))
    slopes = np.concatenate([_slopes(*pairs[:, chosen]) for chosen in drawn])
    low, high = np.percentile(slopes, (2.5, 97.5))
    return Interval(float(_slopes(*pairs)), float(low), float(high))


def _slopes(places: FloatSeries, values: FloatSeries) -> FloatSeries:
    """Return the slope over the last axis."""
    away = places - places.mean(axis=-1, keepdims=True)
    slopes: FloatSeries = (away * values).sum(axis=-1) / (away**2).sum(axis=-1)
    return slopes


def _resamples(size: int, draw: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Yield `_RESAMPLES` rows of `size` places each, some rows at a time."""
    left = _RESAMPLES
    while left:
        rows = min(left, max(1, _CHUNK // size))
        yield draw.integers(0, size, (rows, size))
        left -= rows


def repeat_noise(first: Sequence[float], second: Sequence[float]) -> float:
    """Return how far two interleaved series of one engine are apart: |median ratio - 1|."""
    ratios = np.asarray(first, np.float64) / np.asarray(second, np.float64)
    return float(abs(np.median(ratios) - 1.0))
