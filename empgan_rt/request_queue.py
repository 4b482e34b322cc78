"""Requests that are not in decoding yet, in the order of their coming."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from .errors import QueueFullError
from .request import MAX_BATCH, MAX_ROWS
from .ticket import Ticket


class WaitingRoom:
    """First come, first served; for one thread at a time."""

    def __init__(self) -> None:
        self._tickets: deque[Ticket] = deque()

    def __len__(self) -> int:
        return len(self._tickets)

    def add(self, ticket: Ticket, most: int | None) -> None:
        """Let a request wait behind the others.

        Raises:
            QueueFullError: `most` are here already.
        """
        if most is not None and len(self._tickets) >= most:
            raise QueueFullError(
                f"{len(self._tickets)} requests are waiting already, as many as may",
                hint="ask again later, or raise max_queue",
            )
        self._tickets.append(ticket)

    def turn_out(self, now: float) -> list[Ticket]:
        """Remove and return the requests that are taken back or late at a `time.perf_counter()`."""
        over = [ticket for ticket in self._tickets if ticket.is_over(now)]
        for ticket in over:
            self._tickets.remove(ticket)
        return over

    def next_batch(self, running: Mapping[int, int], max_running: int) -> list[Ticket]:
        """Remove and return the oldest requests of one width that there is room for.

        Args:
            running: beam width -> requests of that width in decoding.
            max_running: most requests in decoding, those returned included.
        """
        batch: list[Ticket] = []
        room = min(MAX_BATCH, max_running - sum(running.values()))
        while self._tickets and len(batch) < room:
            width = self._tickets[0].request.search.rows
            rows = (running.get(width, 0) + len(batch) + 1) * width
            if rows > max(MAX_ROWS, width):
                break
            if batch and width != batch[0].request.search.rows:
                break
            batch.append(self._tickets.popleft())
        return batch
