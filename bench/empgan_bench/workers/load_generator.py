"""Requests that are sent when they are due, whether or not earlier ones are done.

An engine's is a coroutine of the process that answers, beside the responder's own thread: so an
SDK user calls it, and a pipe to another process would add what that user never pays. What a loop
in company costs is measured, not assumed: how late each request was sent is on record.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import aclosing, nullcontext
from typing import NamedTuple

from empgan_rt.backend import Backend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.errors import DeadlineError, EmpganError, QueueFullError
from empgan_rt.inference.async_responder import AsyncResponder

from ..engines.base import written
from .messages import Served
from .requests import Arrival, EventOutcome, Piece, RequestEvents

_LEAD_S = 0.01  # between the call and the schedule's beginning


class Answered(NamedTuple):
    """A whole reply.

    Attributes:
        tokens: of it, its end of sequence not counted.
        written: its ids as the gate compares them.
        waited_ms: from when it was sent until its batch entered the encoder; None if not known.
    """

    tokens: int
    written: list[int]
    waited_ms: float | None = None


class OpenLoop(ABC):
    """Sends requests when they are due, and writes down what becomes of each."""

    @abstractmethod
    async def answer(
        self,
        item: int,
        search: SearchConfig,
        left_s: float | None,
        pieces: list[Piece],
        now_ms: Callable[[], float],
    ) -> Answered:
        """Return the reply to a dialogue.

        Args:
            item: which dialogue.
            search: how it is searched.
            left_s: time for it, None for no limit.
            pieces: where its text is entered as it comes.
            now_ms: the time since the schedule began.

        Raises:
            EmpganError: there is none; a queue is full, it is late, or something broke.
        """

    def run(
        self,
        arrivals: Sequence[Arrival],
        search: SearchConfig,
        deadline_s: float | None,
        runner: asyncio.Runner | None = None,
    ) -> Served:
        """Return what became of each arrival, when all of them are over.

        Args:
            arrivals: in the order of their times.
            search: how all are searched.
            deadline_s: time for each, from when it was due; None for no limit.
            runner: whose event loop is taken; None for a new one.
        """
        with nullcontext(runner) if runner else asyncio.Runner(loop_factory=event_loop) as live:
            lives = live.run(self._send(arrivals, search, deadline_s))
        return Served(*map(list, zip(*lives, strict=True)))

    async def _send(
        self, arrivals: Sequence[Arrival], search: SearchConfig, deadline_s: float | None
    ) -> list[tuple[RequestEvents, list[int]]]:
        began = time.perf_counter() + _LEAD_S
        async with asyncio.TaskGroup() as group:
            tasks = []
            for arrival in arrivals:
                await asyncio.sleep(began + arrival.at_ms / 1e3 - time.perf_counter())
                life = self._ask(arrival, search, deadline_s, began)
                tasks.append(group.create_task(life))
        return [task.result() for task in tasks]

    async def _ask(
        self, arrival: Arrival, search: SearchConfig, deadline_s: float | None, began: float
    ) -> tuple[RequestEvents, list[int]]:
        """Return the life of one request, and the token ids of its reply."""

        def now_ms() -> float:
            return (time.perf_counter() - began) * 1e3

        sent_ms, pieces, error = now_ms(), list[Piece](), None
        answered = Answered(0, [])
        try:
            left_s = None
            if deadline_s is not None:
                left_s = deadline_s - (sent_ms - arrival.at_ms) / 1e3
                if left_s <= 0:
                    raise DeadlineError("sent too late")
            answered = await self.answer(arrival.item, search, left_s, pieces, now_ms)
        except EmpganError as caught:
            error = caught
        events = RequestEvents(
            item=arrival.item,
            scheduled_ms=arrival.at_ms,
            sent_ms=sent_ms,
            encoding_ms=None if answered.waited_ms is None else sent_ms + answered.waited_ms,
            pieces=pieces,
            end_ms=now_ms(),
            tokens=answered.tokens,
            outcome=_outcome(error),
            error=str(error) if error else "",
        )
        return events, answered.written


class LoadGenerator(OpenLoop):
    """An `AsyncResponder` over a backend, and those who ask it.

    Args:
        bundle: whose text files are used.
        backend: open on that bundle.
        dialogues: the texts of the turns of each.
        max_batch: most dialogues in decoding at once.
        max_queue: most requests that wait for a slot.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: Backend,
        dialogues: Sequence[Sequence[str]],
        max_batch: int,
        max_queue: int,
    ) -> None:
        self._responder = AsyncResponder(bundle, backend, max_batch=max_batch, max_queue=max_queue)
        self._dialogues = dialogues

    async def answer(
        self,
        item: int,
        search: SearchConfig,
        left_s: float | None,
        pieces: list[Piece],
        now_ms: Callable[[], float],
    ) -> Answered:
        """See `OpenLoop.answer`."""
        stream = self._responder.stream(self._dialogues[item], search, deadline_s=left_s)
        async with aclosing(stream):
            async for chunk in stream:
                if chunk.text:
                    pieces.append(Piece(now_ms(), chunk.tokens))
                reply = chunk.reply
        if reply is None:
            raise EmpganError("a stream ended without its reply")
        ids, timings = reply.token_ids, reply.timings
        waited_ms = timings.featurize_ms + timings.queue_ms
        return Answered(len(ids), written(ids, reply.finish_reason), waited_ms)


def event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that wakes up on time: epoll, the usual selector, rounds up to 1 ms."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def _outcome(error: EmpganError | None) -> EventOutcome:
    if error is None:
        return "answered"
    if isinstance(error, QueueFullError):
        return "refused"
    return "late" if isinstance(error, DeadlineError) else "failed"
