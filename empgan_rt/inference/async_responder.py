"""The responder for event loops: replies as coroutines, decoded in one batch."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from ..config import SearchConfig
from ..dialogue import Chunk, Reply
from ..errors import InputError
from ..sessions.async_session import AsyncSession
from ..sessions.pool import SessionPool
from .request import Turns
from .responder import Responder
from .ticket import Ticket


class AsyncResponder:
    """Answers dialogues from coroutines, of any number of event loops.

    Requests join the running batch before the next step and leave it as they end; a coroutine that
    is cancelled frees its slot. Close it with `aclose`, or use it in `async with`.

    Args:
        responder: computes; this object owns it from now on.
        max_queue: most requests that wait for a slot; what comes then is refused.
    """

    def __init__(self, responder: Responder, *, max_queue: int = 256) -> None:
        if max_queue < 0:
            raise InputError(f"max_queue is {max_queue}", hint="give 0 or more")
        self.responder, self.max_queue = responder, max_queue

    @classmethod
    def load(
        cls,
        bundle: str | os.PathLike[str] = "default",
        *,
        max_batch: int = 32,
        max_queue: int = 256,
        **options: Any,
    ) -> AsyncResponder:
        """Return a responder for a bundle's folder, or the embedded "default" or "tiny".

        Args:
            bundle: path or name.
            max_batch: most dialogues in decoding at once.
            max_queue: most requests that wait for a slot; what comes then is refused.
            options: `backend`, `device`, `precision`, `search` and `turn_cache` of
                `Responder.load`.

        Raises:
            EmpganError: as `Responder.load`.
        """
        responder = Responder.load(bundle, max_running=max_batch, **options)
        return cls(responder, max_queue=max_queue)

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
        ticket = self.responder.ticket(turns, search, deadline_s)
        async with aclosing(self._progress(ticket)) as progress:
            async for _ in progress:
                pass
        return self.responder.reply_of(ticket)

    async def stream(
        self, turns: Turns, search: SearchConfig | None = None, *, deadline_s: float | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the next turn of a dialogue as it becomes certain, the whole `Reply` last.

        Closing the generator cancels.

        Raises:
            EmpganError: as `reply`.
        """
        ticket = self.responder.ticket(turns, search, deadline_s)
        ticket.streams = True
        pieces = self.responder.pieces_of(ticket)
        async with aclosing(self._progress(ticket)) as progress:
            async for _ in progress:
                for chunk in pieces.grown():
                    yield chunk
        yield pieces.last(self.responder.reply_of(ticket))

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
        self.responder.engine.drain()
        await asyncio.to_thread(self.responder.engine.join)

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
        self.responder.engine.submit(ticket, self.max_queue)
        try:
            while not ticket.is_done:
                await moved.wait()
                moved.clear()
                if not ticket.is_done:
                    yield
            ticket.check()
        finally:
            ticket.cancel()  # of no consequence to one that is done
