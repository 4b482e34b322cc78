"""Requests that are sent when they are due, whether or not earlier ones are done.

The generator is a coroutine of the process that answers, beside the responder's own thread: so an
SDK user calls it, and a pipe to another process would add what that user never pays. What a loop
in company costs is measured, not assumed: how late each request was sent is on record.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Sequence
from contextlib import aclosing

from empgan_rt.backend import Backend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.dialogue.reply import Reply
from empgan_rt.errors import DeadlineError, EmpganError, QueueFullError
from empgan_rt.inference.async_responder import AsyncResponder

from ..engines.base import written
from .messages import Served
from .requests import Arrival, EventOutcome, Piece, RequestEvents

_LEAD_S = 0.01  # between the call and the schedule's beginning


class LoadGenerator:
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

    def run(
        self, arrivals: Sequence[Arrival], search: SearchConfig, deadline_s: float | None
    ) -> Served:
        """Return what became of each arrival, when all of them are over.

        Args:
            arrivals: in the order of their times.
            search: how all are searched.
            deadline_s: time for each, from when it was due; None for no limit.
        """
        with asyncio.Runner(loop_factory=_event_loop) as runner:
            lives = runner.run(self._send(arrivals, search, deadline_s))
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

        sent_ms, pieces, reply, error = now_ms(), list[Piece](), None, None
        try:
            left_s = None
            if deadline_s is not None:
                left_s = deadline_s - (sent_ms - arrival.at_ms) / 1e3
                if left_s <= 0:
                    raise DeadlineError("sent too late")
            turns = self._dialogues[arrival.item]
            stream = self._responder.stream(turns, search, deadline_s=left_s)
            async with aclosing(stream):
                async for chunk in stream:
                    if chunk.text:
                        pieces.append(Piece(now_ms(), chunk.tokens))
                    reply = chunk.reply
        except EmpganError as caught:
            error = caught
        events = RequestEvents(
            item=arrival.item,
            scheduled_ms=arrival.at_ms,
            sent_ms=sent_ms,
            encoding_ms=_encoding_ms(sent_ms, reply),
            pieces=pieces,
            end_ms=now_ms(),
            tokens=len(reply.token_ids) if reply else 0,
            outcome=_outcome(error),
            error=str(error) if error else "",
        )
        return events, written(reply.token_ids, reply.finish_reason) if reply else []


def _event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that wakes up on time: epoll, the usual selector, rounds up to 1 ms."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def _encoding_ms(sent_ms: float, reply: Reply | None) -> float | None:
    if reply is None:
        return None
    return sent_ms + reply.timings.featurize_ms + reply.timings.queue_ms


def _outcome(error: EmpganError | None) -> EventOutcome:
    if error is None:
        return "answered"
    if isinstance(error, QueueFullError):
        return "refused"
    return "late" if isinstance(error, DeadlineError) else "failed"
