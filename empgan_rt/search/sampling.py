"""Drawing tokens: temperature, then top-k, then top-p (Holtzman et al. 2020).

Every chain has random numbers of its own, made when its request starts. What it draws therefore
depends on the seed and on its row, never on the batch it shares.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.random import PCG64, Generator, SeedSequence

from ..config import SearchConfig

Float64Array = npt.NDArray[np.float64]


def uniform_numbers(config: SearchConfig) -> Float64Array:
    """Return (rows, max_length) numbers in [0, 1): one for each token of each chain."""
    streams = SeedSequence(config.seed).spawn(config.rows)
    return np.stack([Generator(PCG64(s)).random(config.max_length) for s in streams])


def draw(
    log_probs: Float64Array,
    temperature: Float64Array,
    top_k: npt.NDArray[np.int64],
    top_p: Float64Array,
    uniform: Float64Array,
) -> npt.NDArray[np.int64]:
    """Return (B, K) the place of the candidate that each chain draws.

    Args:
        log_probs: (B, K, C) in any order; -inf is never drawn, unless a row has nothing else.
        temperature, top_k, top_p: (B,).
        uniform: (B, K) in [0, 1).

    Candidates beyond the top k change no bit of the result: sums run from the best one down.
    """
    count = log_probs.shape[2]
    order = (-log_probs).argsort(axis=-1, kind="stable")
    rows = np.arange(0, order.size, count).reshape(*uniform.shape, 1)
    ranked = log_probs.reshape(-1).take(order + rows)
    best = np.maximum(ranked[..., :1], np.finfo(np.float64).min)  # keeps -inf - best from NaN
    weights = np.exp((ranked - best) / temperature[:, None, None])  # (B, K, C), descending
    weights *= np.arange(count) < top_k[:, None, None]
    mass = weights.cumsum(axis=-1)
    weights *= mass - weights < top_p[:, None, None] * mass[..., -1:]
    mass = weights.cumsum(axis=-1)
    drawn = (mass <= uniform[..., None] * mass[..., -1:]).sum(axis=-1)
    drawn = np.minimum(drawn, (weights > 0).sum(axis=-1) - 1)
    places: npt.NDArray[np.int64] = order.take(np.maximum(drawn, 0) + rows[..., 0])
    return places
