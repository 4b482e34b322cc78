"""The responder for event loops: replies as coroutines, decoded in one batch."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing, suppress
from typing import TypeVar

from ..backend import Backend
from ..bundle.bundle import Bundle
from ..config import SearchConfig
from ..dialogue.reply import Chunk, Reply
from ..dialogue.turns import Turns
from ..errors import InputError
from ..guard.asking import check_guard
from ..guard.protocol import AsyncGuard, Guard
from ..sessions.async_session import AsyncSession
from ..sessions.pool import SessionPool
from ..sessions.store import SessionStore
from .base import BaseResponder, deadline_in, open_model
from .reply import whole
from .request import MAX_BATCH, TURN_CACHE
from .ticket import Ticket, late
from .watched import AsyncWatched

MAX_QUEUE = 256  # requests that wait for a slot
READ_AT_ONCE = 8192  # characters that are read on the event loop, which takes about 5 ms
Awaited = TypeVar("Awaited")


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
        turn_cache: turns that are remembered as ids; `load` gives its own to the backend too.
        guard: as `Responder`'s, or an asynchronous one; it is asked before a request waits. One
            without coroutines holds up the event loop while it thinks.

    Raises:
        InputError: max_batch is below 1, max_queue below 0, or the guard is none.
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
        turn_cache: int = 0,
        guard: Guard | AsyncGuard | None = None,
    ) -> None:
        self._guard = _checked(guard)
        if max_queue < 0:
            raise InputError(f"max_queue is {max_queue}", hint="give 0 or more")
        super().__init__(bundle, backend, search, max_batch, turn_cache)
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
        guard: Guard | AsyncGuard | None = None,
    ) -> AsyncResponder:
        """Return a responder for a bundle's folder, or the embedded "default" or "tiny".

        Args:
            bundle, backend, device, precision, search, turn_cache: as `Responder.load`.
            max_batch: most dialogues in decoding at once.
            max_queue: most requests that wait for a slot; what comes then is refused.
            guard: see the class.

        Raises:
            EmpganError: as `Responder.load`.
        """
        _checked(guard)
        opened = open_model(bundle, backend, device, precision, turn_cache)
        return cls(
            *opened,
            search,
            max_batch=max_batch,
            max_queue=max_queue,
            turn_cache=turn_cache,
            guard=guard,
        )

    async def reply(
        self,
        turns: Turns,
        search: SearchConfig | None = None,
        *,
        guard: Guard | AsyncGuard | None = None,
        deadline_s: float | None = None,
    ) -> Reply:
        """Return the next turn of a dialogue; arguments as `Responder.reply`.

        Raises:
            InputError: a turn, label, setting or guard is not acceptable, or this responder is
                closed.
            QueueFullError: `max_queue` requests are waiting already.
            DeadlineError: the reply was not there in time; its slot is free again.
            DivergenceError: the model computed NaN or infinity.
        """
        watched = self._watched(turns, search, guard)
        ticket = await self._read(watched, deadline_s)
        return await self._answer(watched, ticket)

    async def stream(
        self,
        turns: Turns,
        search: SearchConfig | None = None,
        *,
        guard: Guard | AsyncGuard | None = None,
        deadline_s: float | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the next turn of a dialogue as it becomes certain, the whole `Reply` last.

        Under a guard the whole reply is one chunk, after the verdict on it. Closing the generator
        cancels.

        Raises:
            EmpganError: as `reply`.
        """
        watched = self._watched(turns, search, guard)
        ticket = await self._read(watched, deadline_s)
        if watched.guard is not None:
            yield whole(await self._answer(watched, ticket))
            return
        ticket.streams = True
        pieces = self._pieces_of(ticket)
        async with aclosing(self._progress(ticket)) as progress:
            async for _ in progress:
                for chunk in pieces.grown():
                    yield chunk
        yield pieces.last(self._reply_of(ticket))

    def session(
        self,
        search: SearchConfig | None = None,
        *,
        guard: Guard | AsyncGuard | None = None,
        turns: Turns = (),
    ) -> AsyncSession:
        """Return a dialogue that keeps its own history; arguments as `Responder.session`.

        Raises:
            InputError: the guard is none, or a turn is neither a string nor a Turn.
        """
        return AsyncSession(self, search, _checked(guard), turns=turns)

    def sessions(
        self,
        search: SearchConfig | None = None,
        *,
        guard: Guard | AsyncGuard | None = None,
        store: SessionStore | None = None,
        limit: int = 1000,
        ttl_s: float = 3600.0,
    ) -> SessionPool:
        """Return dialogues by key, as chat bots need them; each is searched as `session`.

        Args:
            search: how to search; None for the responder's own.
            guard: who watches; None for the responder's own.
            store: has the turns, such as a `SqliteStore`; None for one in memory.
            limit: most dialogues that are remembered.
            ttl_s: seconds from the end of a reply until its dialogue is forgotten.

        Raises:
            InputError: limit or ttl_s is out of range, or the guard is none.
        """
        return SessionPool(self, search, _checked(guard), store=store, limit=limit, ttl_s=ttl_s)

    async def aclose(self) -> None:
        """Refuse new requests, answer those that were accepted, and release the model."""
        self._executor.drain()
        await asyncio.to_thread(self._executor.join)

    async def __aenter__(self) -> AsyncResponder:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def _watched(
        self, turns: Turns, search: SearchConfig | None, guard: Guard | AsyncGuard | None
    ) -> AsyncWatched:
        return AsyncWatched(
            turns,
            self.search if search is None else search,
            self._guard if guard is None else _checked(guard),
        )

    async def _read(self, watched: AsyncWatched, deadline_s: float | None) -> Ticket:
        """Return a checked request, its time running from now; a long one is read by a thread.

        Raises:
            InputError: a turn, label or setting is not acceptable.
        """
        if watched.characters <= READ_AT_ONCE:
            return self._ticket(watched.turns, watched.search, deadline_s)
        deadline = deadline_in(deadline_s)
        request = await asyncio.to_thread(self._request, watched.turns, watched.search)
        return Ticket(request, deadline)

    async def _answer(self, watched: AsyncWatched, ticket: Ticket) -> Reply:
        """Return what is said to a dialogue, by the model or by the guard."""
        if watched.guard is None:
            return await self._decoded(ticket)
        request, bundle_id = ticket.request, self.bundle.bundle_id
        reply = await _within(ticket.deadline, watched.before(request, bundle_id))
        if reply is None:
            decoded = await self._decoded(ticket)
            reply = await _within(ticket.deadline, watched.after(decoded))
        return self._in_time(ticket, reply)

    async def _decoded(self, ticket: Ticket) -> Reply:
        """Return what the model says."""
        async with aclosing(self._progress(ticket)) as progress:
            async for _ in progress:
                pass
        return self._reply_of(ticket)

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
            ticket.on_step = None  # refers to the ticket, which would wait for the collector


async def _within(deadline: float | None, verdict: Awaitable[Awaited]) -> Awaited:
    """Return what a guard says, until a `time.perf_counter()`.

    Raises:
        DeadlineError: it takes longer.
    """
    if deadline is None:
        return await verdict
    try:
        async with asyncio.timeout(deadline - time.perf_counter()):
            return await verdict
    except TimeoutError:  # not the guard's own, which becomes its refusal
        raise late() from None


def _checked(guard: Guard | AsyncGuard | None) -> Guard | AsyncGuard | None:
    """Return a guard that can be asked.

    Raises:
        InputError: it cannot.
    """
    if guard is not None:
        check_guard(guard, may_wait=True)
    return guard
