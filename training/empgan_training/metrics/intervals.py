"""95 % intervals by the percentile bootstrap: of samples drawn again, paired where systems compare.

A resample draws n of the n samples with replacement. The same seed, n and number of resamples draw
the same samples for every system, so the interval of a difference is taken over the differences
within each resample (Koehn 2004, "Statistical Significance Tests for Machine Translation
Evaluation").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from empgan_rt.config import check_seed
from empgan_rt.errors import InputError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

TAIL = 0.025  # on either side of a 95 % interval
MIN_RESAMPLES = 40  # so that one lies beyond each end


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval, in percent, or in percentage points for a difference.

    Attributes:
        value: of all samples once, exactly what `score_bleu` and the others give.
        low, high: the ends; a jackknife's lie as far from the value on either side, so one can
            pass 0 or 100.
    """

    value: float
    low: float
    high: float
    method: Literal["bootstrap", "jackknife"]


def times_drawn(n: int, *, resamples: int = 1000, seed: int = 1) -> Integers:
    """Return how often each resample draws each of n samples, (R, n).

    Raises:
        InputError: fewer than 40 resamples, or a seed that is negative or too large.
    """
    if resamples < MIN_RESAMPLES:
        raise InputError(f"resamples is {resamples}", hint=f"give at least {MIN_RESAMPLES}")
    check_seed(seed)
    drawn = np.random.default_rng(seed).integers(n, size=(resamples, n))
    return np.stack([np.bincount(row, minlength=n) for row in drawn])


def mean_intervals(values: Floats, draws: Integers) -> list[Interval]:
    """Return the mean of each column, with its interval by the percentile bootstrap.

    Args:
        values: (n, k) in percent; for paired samples, the difference within each.
        draws: (R, n) of `times_drawn`.
    """
    replicates = np.einsum("rn,nk->rk", draws, values) / len(values)  # (R, k)
    low, high = np.quantile(replicates, (TAIL, 1 - TAIL), axis=0)
    return [
        Interval(float(value), float(low), float(high), "bootstrap")
        for value, low, high in zip(values.mean(axis=0), low, high, strict=True)
    ]
