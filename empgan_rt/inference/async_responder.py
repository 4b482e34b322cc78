"""The responder for event loops: replies as coroutines, decoded in one batch."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from ..backend import Backend
from ..bundle.bundle import Bundle
from ..config import SearchConfig
from ..dialogue import Chunk, Reply, Turns
from ..errors import InputError
from ..sessions.async_session import AsyncSession
from ..sessions.pool import SessionPool
from .base import BaseResponder, open_model
from .request import MAX_BATCH, TURN_CACHE
from .ticket import Ticket

MAX_QUEUE = 256  # requests that wait for a slot


class AsyncResponder(BaseResponder):
    """Answers dialogues from coroutines, of any number of event loops.

    Requests join the running batch before the next step and leave it as they end; a coroutine that
    is cancelled frees its slot. Close it with `aclose`, or use it in `async with`. Use `load`; the
    constructor is for a backend that is already open.

    Args:
        bundle: the model.
        backend: open on that bundle; the responder owns it from now on.
        search: how to search unless a call says otherwise; None for the bundle's defaults.
        max_batch: most dialogues in decoding at once.
        max_queue: most requests that wait for a slot; what comes then is refused.

    Raises:
        InputError: max_batch is below 1, or max_queue below 0.
        BundleError: a text file of the bundle is damaged or of another model.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: Backend,
        search: SearchConfig | None = None,
        *,
        max_batch: int = MAX_BATCH,
        max_queue: int = MAX_QUEUE,
    ) -> None:
        if max_queue < 0:
            raise InputError(f"max_queue is {max_queue}", hint="give 0 or more")
        super().__init__(bundle, backend, search, max_batch)
        self.max_queue = max_queue

    @classmethod
    def load(
        cls,
        bundle: str | os.PathLike[str] = "default",
        *,
        backend: str = "onnxruntime",
        device: str = "cpu",
        precision: str = "fp32",
        search: SearchConfig | None = None,
        max_batch: int = MAX_BATCH,
        max_queue: int = MAX_QUEUE,
        turn_cache: int = TURN_CACHE,
    ) -> AsyncResponder:
        """Return a responder for a bundle's folder, or the embedded "default" or "tiny".

        Args:
            bundle, backend, device, precision, search, turn_cache: as `Responder.load`.
            max_batch: most dialogues in decoding at once.
            max_queue: most requests that wait for a slot; what comes then is refused.

        Raises:
            EmpganError: as `Responder.load`.
        """
        opened = open_model(bundle, backend, device, precision, turn_cache)
        return cls(*opened, search, max_batch=max_batch, max_queue=max_queue)

    async def reply(
        self, turns: Turns, search: SearchConfig | None = None, *, deadline_s: float | None = None
    ) -> Reply:
        """Return the next turn of a dialogue; arguments as `Responder.reply`.

        Raises:
            InputError: a turn, label or setting is not acceptable, or this responder is closed.
            QueueFullError: `max_queue` requests are waiting already.
            DeadlineError: the reply was not there in time; its slot is free again.
            DivergenceError: the model computed NaN or infinity.
        """
        ticket = self._ticket(turns, search, deadline_s)
        async with aclosing(self._progress(ticket)) as progress:
            async for _ in progress:
                pass
        return self._reply_of(ticket)

    async def stream(
        self, turns: Turns, search: SearchConfig | None = None, *, deadline_s: float | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the next turn of a dialogue as it becomes certain, the whole `Reply` last.

        Closing the generator cancels.

        Raises:
            EmpganError: as `reply`.
        """
        ticket = self._ticket(turns, search, deadline_s)
        ticket.streams = True
        pieces = self._pieces_of(ticket)
        async with aclosing(self._progress(ticket)) as progress:
            async for _ in progress:
                for chunk in pieces.grown():
                    yield chunk
        yield pieces.last(self._reply_of(ticket))

    def session(self, search: SearchConfig | None = None) -> AsyncSession:
        """Return a dialogue that keeps its own history, searched by `search` or as `reply`."""
        return AsyncSession(self, search)

    def sessions(
        self, search: SearchConfig | None = None, *, limit: int = 1000, ttl_s: float = 3600.0
    ) -> SessionPool:
        """Return dialogues by key, as chat bots need them; each is searched as `session`.

        Args:
            search: how to search; None for the responder's own.
            limit: most dialogues that are remembered.
            ttl_s: seconds from the end of a reply until its dialogue is forgotten.

        Raises:
            InputError: limit or ttl_s is out of range.
        """
        return SessionPool(self, search, limit=limit, ttl_s=ttl_s)

    async def aclose(self) -> None:
        """Refuse new requests, answer those that were accepted, and release the model."""
        self._executor.drain()
        await asyncio.to_thread(self._executor.join)

    async def __aenter__(self) -> AsyncResponder:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def _progress(self, ticket: Ticket) -> AsyncGenerator[None, None]:
        """Hand in a request and yield as it goes on, without its end; or raise what it met."""
        loop, moved = asyncio.get_running_loop(), asyncio.Event()

        def on_step() -> None:
            if ticket.streams or ticket.is_done:
                with suppress(RuntimeError):  # the loop is closed: nobody listens
                    loop.call_soon_threadsafe(moved.set)

        ticket.on_step = on_step
        self._executor.submit(ticket, self.max_queue)
        try:
            while not ticket.is_done:
                await moved.wait()
                moved.clear()
                if not ticket.is_done:
                    yield
            ticket.check()
        finally:
            ticket.cancel()  # of no consequence to one that is done
