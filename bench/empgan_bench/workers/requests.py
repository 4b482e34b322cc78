"""Requests: when they are due, what became of each, and the times that follow from it.

Every time counts from when the request was due, not from when it was sent: a generator that falls
behind its schedule would else hide the very waits that it ran into (coordinated omission). Names
are those of vLLM and AIPerf, where they mean the same.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

EventOutcome = Literal["answered", "refused", "late", "failed"]


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


class Piece(msgspec.Struct, frozen=True):
    """Text that came: when, in ms since the schedule began, and how many tokens it stands for."""

    at_ms: float
    tokens: int


class RequestEvents(msgspec.Struct, frozen=True, kw_only=True):
    """The life of one request; times are ms since the schedule began.

    Attributes:
        item: which dialogue.
        scheduled_ms: when it was due.
        sent_ms: when the generator handed it in.
        encoding_ms: when its batch entered the encoder; None unless it was answered.
        pieces: the text as it came, chunks without text left out.
        end_ms: when the reply was there, or the error.
        tokens: of the reply, its end of sequence not counted.
        outcome: "refused" by a full queue, "late" by its deadline, "failed" by anything else.
        error: what it failed with.
    """

    item: int
    scheduled_ms: float
    sent_ms: float
    encoding_ms: float | None = None
    pieces: list[Piece] = []
    end_ms: float
    tokens: int = 0
    outcome: EventOutcome
    error: str = ""

    @property
    def lateness_ms(self) -> float:
        """How late the generator sent it."""
        return self.sent_ms - self.scheduled_ms

    @property
    def e2e_ms(self) -> float:
        """End to end: until the whole reply was there."""
        return self.end_ms - self.scheduled_ms

    @property
    def queue_ms(self) -> float | None:
        """Until its batch entered the encoder; reading its text is in it. None: not answered."""
        return None if self.encoding_ms is None else self.encoding_ms - self.scheduled_ms

    @property
    def ttft_ms(self) -> float | None:
        """Time to the first text; None if there was none.

        With several beams that is the first *certain* text, which may come late, and with it more
        than one token.
        """
        return self.pieces[0].at_ms - self.scheduled_ms if self.pieces else None

    @property
    def tpot_ms(self) -> float | None:
        """Time per output token from the first text to the last; None if all came at once.

        The time to the first text is not in it, and neither are the tokens that came with that:
        where a piece is a token this is (last - first) / (tokens - 1).
        """
        later = sum(piece.tokens for piece in self.pieces[1:])
        return (self.pieces[-1].at_ms - self.pieces[0].at_ms) / later if later else None
