"""Whether requests are still accepted, and how many are being answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from .refusal import shutting_down


class Lifecycle:
    """What the application and the process that runs it know of each other; for one event loop.

    Attributes:
        is_leaving: whether /ready tells load balancers to send requests elsewhere.
        is_draining: whether new requests are refused.
        running: requests that were accepted and are not answered yet.
    """

    def __init__(self) -> None:
        self.is_leaving = False
        self.is_draining = False
        self.running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def leave(self) -> None:
        """Withdraw readiness; whoever asks all the same is answered."""
        self.is_leaving = True

    def drain(self) -> None:
        """Refuse new requests; those that were accepted are answered."""
        self.is_leaving = self.is_draining = True

    async def wait_idle(self, timeout_s: float | None = None) -> bool:
        """Return whether every accepted request is answered, after at most so many seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count one request as running.

        Raises:
            RefusedError: no more are accepted.
        """
        if self.is_draining:
            raise shutting_down()
        self.running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.running -= 1
            if not self.running:
                self._idle.set()
