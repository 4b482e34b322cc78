"""Many requests of one caller, which enter the decoder as others of them end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from queue import SimpleQueue

from ..config import SearchConfig
from ..dialogue.turns import Turns
from ..errors import EmpganError, InputError
from .request import Request, by_length
from .ticket import Ticket


class Batch:
    """Requests of which so many at most are in decoding or wait for it at a time.

    The caller makes it and takes `ended`; the thread that takes the steps uses the rest.

    Args:
        requests: any number.
        limit: at most so many at once.

    Attributes:
        ended: gets the place of each request when it is done; it may come twice.
    """

    def __init__(self, requests: Sequence[Request], limit: int) -> None:
        self._limit = limit
        self.tickets = [Ticket(request) for request in requests]
        self.ended: SimpleQueue[int] = SimpleQueue()
        for place, ticket in enumerate(self.tickets):
            ticket.on_step = partial(self.ended.put, place)
        self._coming = deque(by_length(requests))  # the shortest dialogue first
        self._running: list[Ticket] = []
        self._cancelled = False

    @property
    def is_handed_in(self) -> bool:
        """Whether none is still to come."""
        return not self._coming

    def due(self) -> list[Ticket]:
        """Return those that enter now: none, or several at once, for the encoder's sake."""
        if self._cancelled:
            self._coming.clear()
        self._running = [ticket for ticket in self._running if not ticket.is_done]
        if len(self._running) > self._limit * 3 // 4:
            return []
        count = min(self._limit - len(self._running), len(self._coming))
        due = [self.tickets[self._coming.popleft()] for _ in range(count)]
        for ticket in due:
            ticket.submitted = time.perf_counter()
        self._running += due
        return due

    def cancel(self) -> None:
        """Take all requests back. Any thread may."""
        self._cancelled = True
        for ticket in self.tickets:
            ticket.cancel()

    def fail(self, error: EmpganError) -> None:
        """End all requests that are not done with an error."""
        for ticket in self.tickets:
            ticket.finish(error=error)


def with_searches(
    dialogues: Sequence[Turns], search: SearchConfig | Sequence[SearchConfig] | None
) -> list[tuple[Turns, SearchConfig | None]]:
    """Return each dialogue with how it is to be searched.

    Raises:
        InputError: there are not as many searches as dialogues.
    """
    if search is None or isinstance(search, SearchConfig):
        return [(turns, search) for turns in dialogues]
    if len(search) != len(dialogues):
        raise InputError(
            f"{len(search)} searches for {len(dialogues)} dialogues",
            hint="give one for all, or one for each",
        )
    return [*zip(dialogues, search, strict=True)]
