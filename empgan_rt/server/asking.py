"""Replies asked for on behalf of a request, and told to the observer from first to last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import aclosing, contextmanager

from ..dialogue.reply import Chunk, Reply
from .models import Model
from .observer import Finished, FinishedReason, Observer
from .operation import Call
from .refusal import shutting_down

FINISH_REASONS: dict[str, FinishedReason] = {"eos": "stop", "length": "length"}


class Asked:
    """One request for a reply; one of its two methods is called, once.

    Args:
        observer: who is told.
        call: the request.
        model: who is asked.
        choices: how many of the replies found are given to the client.

    Raises:
        RefusedError: the model is closed.
    """

    def __init__(self, observer: Observer, call: Call, model: Model, choices: int = 1) -> None:
        if model.responder.is_closed:
            raise shutting_down()
        self._observer, self._call, self._model = observer, call, model
        self._choices = choices
        self._reply: Reply | None = None

    async def reply(self, coming: Awaitable[Reply]) -> Reply:
        """Return a whole reply."""
        with self._told():
            self._reply = reply = await coming
            if reply.source == "model":
                self._observer.first_token(self._model.name, reply.timings.first_token_ms / 1e3)
            return reply

    async def chunks(self, coming: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
        """Yield the pieces of a reply."""
        with self._told():
            before: float | None = None
            async with aclosing(coming) as chunks:
                async for chunk in chunks:
                    now = self._call.elapsed_s
                    if chunk.tokens and before is None:
                        self._observer.first_token(self._model.name, now)
                    elif chunk.tokens and before is not None:
                        self._observer.tokens(self._model.name, chunk.tokens, now - before)
                    before = now if chunk.tokens else before
                    self._reply = chunk.reply
                    yield chunk

    @contextmanager
    def _told(self) -> Iterator[None]:
        self._observer.accepted(self._call.endpoint, self._model.name)
        reason: FinishedReason = "error"
        try:
            yield
            reason = FINISH_REASONS[self._reply.finish_reason] if self._reply else "error"
        except (asyncio.CancelledError, GeneratorExit):
            reason = "error" if self._call.is_late else "abort"
            raise
        finally:
            self._observer.finished(self._finished(reason))

    def _finished(self, reason: FinishedReason) -> Finished:
        reply = self._reply
        return Finished(
            endpoint=self._call.endpoint,
            model=self._model.name,
            finished_reason=reason,
            elapsed_s=self._call.elapsed_s,
            prompt_tokens=0 if reply is None else reply.context_tokens,
            generation_tokens=0 if reply is None else generated(reply, self._choices),
            timings=reply.timings if reply is not None and reply.source == "model" else None,
        )


def generated(reply: Reply, choices: int) -> int:
    """Return how many tokens the best replies have together, ends of sequence not counted."""
    others = reply.alternatives[: choices - 1]
    return len(reply.token_ids) + sum(len(other.token_ids) for other in others)
