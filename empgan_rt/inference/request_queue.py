"""Requests that are not in decoding yet, in the order of their coming."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from .request import MAX_BATCH, MAX_ROWS
from .ticket import LaneKey, Ticket


class RequestQueue:
    """First come, first served. Any thread may add; one thread takes.

    It has no lock: each change is one operation of a deque, so an exception at any place leaves
    it whole.
    """

    def __init__(self) -> None:
        self._tickets: deque[Ticket] = deque()

    def __len__(self) -> int:
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        """Let a request wait behind the others."""
        self._tickets.append(ticket)

    def put_back(self, tickets: Sequence[Ticket]) -> None:
        """Let requests that have waited before go first, in their order."""
        self._tickets.extendleft(reversed(tickets))

    def clear(self) -> None:
        """Forget all requests."""
        self._tickets.clear()

    def expire(self, now: float) -> list[Ticket]:
        """Remove and return the requests that are over at a `time.perf_counter()`."""
        over = [ticket for ticket in list(self._tickets) if ticket.is_over(now)]
        for ticket in over:
            self._tickets.remove(ticket)
        return over

    def next_batch(self, running: Mapping[LaneKey, int], max_running: int) -> list[Ticket]:
        """Remove and return the oldest requests of one lane that there is room for.

        Args:
            running: lane -> requests in decoding there.
            max_running: most requests in decoding, those returned included.
        """
        batch: list[Ticket] = []
        room = min(MAX_BATCH, max_running - sum(running.values()))
        while self._tickets and len(batch) < room:
            key = self._tickets[0].lane_key
            rows = (running.get(key, 0) + len(batch) + 1) * key.rows
            if rows > max(MAX_ROWS, key.rows):
                break
            if batch and key != batch[0].lane_key:
                break
            batch.append(self._tickets.popleft())
        return batch
