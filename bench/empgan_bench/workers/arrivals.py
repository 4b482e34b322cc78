"""When requests arrive: a Poisson process, drawn once and the same for every engine."""

from __future__ import annotations

import msgspec
import numpy as np


class Arrival(msgspec.Struct, frozen=True):
    """One request that is due: when, in ms since the schedule began, and for which dialogue."""

    at_ms: float
    item: int


def poisson(rate_per_s: float, count: int, items: int, seed: int) -> list[Arrival]:
    """Return `count` arrivals of a Poisson process, conditioned on their number.

    Given that `count` of them fall into `count / rate_per_s` seconds, they are spread over that
    time uniformly and independently: what is offered is the rate exactly, in a short run too. One
    seed has one pattern; another rate plays it faster or slower.

    Args:
        rate_per_s: requests per second.
        count: at least one.
        items: dialogues, which are asked for in turn.
        seed: of the pattern.
    """
    places = np.sort(np.random.default_rng(seed).uniform(0.0, count, count))
    times_ms = (places / rate_per_s * 1e3).tolist()
    return [Arrival(at_ms, number % items) for number, at_ms in enumerate(times_ms)]
