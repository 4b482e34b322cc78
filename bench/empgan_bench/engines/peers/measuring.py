"""What is alike for all peers: dialogues as flat sequences, settings tried, one time for it all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from empgan_rt.errors import EmpganError
from empgan_rt.graph_spec import EncoderInput

from ..base import Timing

_TRY_S = 1.0  # for each setting, after one call that warms up
_MOST_TRIES = 5

Setting = TypeVar("Setting")


def flat_words(inputs: EncoderInput) -> list[list[int]]:
    """Return the words of each dialogue as one sequence of ids, its turns one after the other."""
    return [[word for word in turns.ravel().tolist() if word] for turns in inputs.utterances]


def up_to(threads: int) -> list[int]:
    """Return the thread counts worth trying: powers of two below `threads`, and `threads`.

    >>> up_to(6)
    [1, 2, 4, 6]
    """
    powers = [1 << bits for bits in range(threads.bit_length()) if 1 << bits < threads]
    return [*powers, threads]


def fastest(settings: Sequence[Setting], run: Callable[[Setting], object]) -> Setting:
    """Return the setting with which `run` takes least time.

    All are called in turns, so that load that comes falls on each, until each has had its time; the
    best call of each counts.
    """
    if len(settings) == 1:
        return settings[0]
    for setting in settings:
        run(setting)
    best = [float("inf")] * len(settings)
    spent, tries = 0.0, 0
    while tries < _MOST_TRIES and (tries == 0 or spent < _TRY_S * len(settings)):
        for place, setting in enumerate(settings):
            start = time.perf_counter()
            run(setting)
            took = time.perf_counter() - start
            best[place] = min(best[place], took)
            spent += took
        tries += 1
    return settings[best.index(min(best))]


def timed(peer: str, run: Callable[[], Sequence[int]], tokens: int) -> Timing:
    """Return the time of one batch, all of it as steps: a peer does not tell its parts.

    Args:
        peer: its name, for messages.
        run: decodes the batch and returns the length of each reply.
        tokens: how long each has to be.

    Raises:
        EmpganError: a reply has another length, so the time is not that of equal work.
    """
    start = time.perf_counter()
    lengths = run()
    total_ms = (time.perf_counter() - start) * 1e3
    if {*lengths} != {tokens}:
        raise EmpganError(
            f"{peer} wrote replies of {sorted({*lengths})} tokens, not {tokens}",
            hint="use the version that docs/peers.md names",
        )
    return Timing(
        encode_ms=0.0,
        step_ms=total_ms,
        search_ms=0.0,
        total_ms=total_ms,
        first_token_ms=total_ms,
        steps=tokens,
        dialogues=len(lengths),
        tokens=sum(lengths),
    )
