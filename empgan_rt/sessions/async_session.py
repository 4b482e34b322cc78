"""A dialogue that remembers its turns, for event loops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from ..config import Limits, SearchConfig
from ..dialogue.reply import Chunk, Reply
from ..dialogue.turns import Emotion, Turn, Turns
from ..guard.protocol import AsyncGuard, Guard
from .session import History, Window


class AsyncResponds(Protocol):
    """What a session of an event loop asks of a responder."""

    @property
    def limits(self) -> Limits:
        """What the model reads at most."""

    async def reply(
        self,
        turns: Turns,
        search: SearchConfig | None = None,
        *,
        guard: Guard | AsyncGuard | None = None,
        deadline_s: float | None = None,
    ) -> Reply:
        """Return the next turn of a dialogue."""

    def stream(
        self,
        turns: Turns,
        search: SearchConfig | None = None,
        *,
        guard: Guard | AsyncGuard | None = None,
        deadline_s: float | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the next turn of a dialogue in pieces, the whole reply last."""


class AsyncSession(History):
    """One dialogue between a user and the model; for one event loop at a time.

    What is said while a reply is still to come waits for it, so that every reply knows those
    before it.

    Args:
        responder: answers; it may serve other sessions too.
        search: how to search; None for the responder's own.
        guard: who watches; None for the responder's own.
        turns: that were said already, as `History`.
    """

    def __init__(
        self,
        responder: AsyncResponds,
        search: SearchConfig | None = None,
        guard: Guard | AsyncGuard | None = None,
        *,
        turns: Turns = (),
    ) -> None:
        super().__init__(responder.limits.max_turns, turns)
        self._responder = responder
        self._search, self._guard = search, guard
        self._one_by_one = asyncio.Lock()

    async def say(
        self, text: str, *, emotion: Emotion | None = None, deadline_s: float | None = None
    ) -> Reply:
        """Return the reply to a user's turn and remember both; neither if it raises or is blocked.

        Args:
            text: what the user says.
            emotion: what the user is known to feel; None lets the model recognise it.
            deadline_s: seconds from when the replies before are there.

        Raises:
            EmpganError: as `AsyncResponder.reply`.
        """
        async with self._one_by_one:
            window, asked = await self._opened(), Turn(text, emotion)
            dialogue = [*window.turns, asked]
            reply = await self._responder.reply(
                dialogue, self._search, guard=self._guard, deadline_s=deadline_s
            )
            return await self._remembered(window, asked, reply)

    async def stream(
        self, text: str, *, emotion: Emotion | None = None, deadline_s: float | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the reply to a user's turn in pieces; both are remembered with the last one.

        Closing the generator earlier cancels, and leaves the history as it was. Until it ends or
        is closed, what else is said waits.

        Raises:
            EmpganError: as `say`.
        """
        async with self._one_by_one:
            window, asked = await self._opened(), Turn(text, emotion)
            dialogue = [*window.turns, asked]
            chunks = self._responder.stream(
                dialogue, self._search, guard=self._guard, deadline_s=deadline_s
            )
            async with aclosing(chunks):
                async for chunk in chunks:
                    if chunk.reply is not None:
                        reply = await self._remembered(window, asked, chunk.reply)
                        chunk = replace(chunk, reply=reply)
                    yield chunk

    async def _opened(self) -> Window:
        """Return the window that a message is said in."""
        return self._window

    async def _remembered(self, window: Window, asked: Turn, reply: Reply) -> Reply:
        """Return a reply once it and the user's turn are in that window."""
        return window.add(asked, reply)
