"""A dialogue that remembers its turns, for event loops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..config import SearchConfig
from ..dialogue import Chunk, Emotion, Reply, Turn
from .session import History

if TYPE_CHECKING:
    from ..inference.async_responder import AsyncResponder


class AsyncSession(History):
    """One dialogue between a user and the model; for one event loop at a time.

    What is said while a reply is still to come waits for it, so that every reply knows those
    before it.

    Args:
        responder: answers; it may serve other sessions too.
        search: how to search; None for the responder's own.
    """

    def __init__(self, responder: AsyncResponder, search: SearchConfig | None = None) -> None:
        super().__init__(responder.responder.bundle.limits.max_turns)
        self._responder = responder
        self._search = search
        self._turn = asyncio.Lock()

    async def say(
        self, text: str, *, emotion: Emotion | None = None, deadline_s: float | None = None
    ) -> Reply:
        """Return the reply to a user's turn and remember both; if it raises, neither.

        Args:
            text: what the user says.
            emotion: what the user is known to feel; None lets the model recognise it.
            deadline_s: seconds from when the replies before are there.

        Raises:
            EmpganError: as `AsyncResponder.reply`.
        """
        async with self._turn:
            window, asked = self._window, Turn(text, emotion)
            dialogue = [*window.turns, asked]
            reply = await self._responder.reply(dialogue, self._search, deadline_s=deadline_s)
            return window.add(asked, reply)

    async def stream(
        self, text: str, *, emotion: Emotion | None = None, deadline_s: float | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the reply to a user's turn in pieces; both are remembered with the last one.

        Closing the generator earlier cancels, and leaves the history as it was. Until it ends or
        is closed, other turns wait.

        Raises:
            EmpganError: as `say`.
        """
        async with self._turn:
            window, asked = self._window, Turn(text, emotion)
            dialogue = [*window.turns, asked]
            chunks = self._responder.stream(dialogue, self._search, deadline_s=deadline_s)
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield window.add_last(asked, chunk)
