"""A dialogue that is in a store between messages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable
from contextlib import suppress

from ..config import SearchConfig
from ..dialogue.reply import Reply
from ..dialogue.turns import Turn
from ..errors import EmpganError
from ..guard.protocol import AsyncGuard, Guard
from .async_session import AsyncResponds, AsyncSession
from .session import Window, said_in
from .store import SessionStore, StoredDialogue

_log = logging.getLogger(__name__)


class StoredSession(AsyncSession):
    """One dialogue of a store: read when it is first spoken to, written before a reply is given.

    Args:
        responder: answers; it may serve other sessions too.
        search: how to search; None for the responder's own.
        guard: who watches; None for the responder's own.
        store: has the turns.
        key: names the dialogue there.
        ttl_s: seconds after which what is in the store is not read.

    Attributes:
        is_read: whether `turns` are those of the store.
    """

    def __init__(
        self,
        responder: AsyncResponds,
        search: SearchConfig | None,
        guard: Guard | AsyncGuard | None,
        *,
        store: SessionStore,
        key: Hashable,
        ttl_s: float,
    ) -> None:
        super().__init__(responder, search, guard)
        self._store, self._key, self._ttl_s = store, key, ttl_s
        self._stored: StoredDialogue | None = None
        self.is_read = False

    def reset(self) -> None:
        """Forget all turns, and those of a reply that is still to come; the store keeps its own."""
        super().reset()
        self._stored, self.is_read = None, True

    async def _opened(self) -> Window:
        """Return the window that a message is said in, read from the store if it was not yet.

        Raises:
            StorageError: the store cannot be read.
        """
        window = self._window
        if not self.is_read:
            stored = await self._store.get(self._key, self._ttl_s)
            if window is self._window:  # else it was reset: the store's turns are of before
                self._stored, self.is_read = stored, True
            if stored is not None:
                window.extend(stored.turns, stored.turns_dropped)
        return window

    async def _remembered(self, window: Window, asked: Turn, reply: Reply) -> Reply:
        """Return a reply once it and the user's turn are in the store, and then in the window.

        Raises:
            StorageError: the store cannot be written; neither is remembered.
        """
        said = said_in(asked, reply)
        if not said:
            await self.touch()
        elif window is self._window:
            after = Window(self._max_turns, [*window.turns], window.dropped)
            after.extend(said)
            kept = StoredDialogue(tuple(after.turns), after.dropped, reply.bundle_id)
            try:
                await self._store.put(self._key, kept)
            except asyncio.CancelledError:
                await asyncio.shield(self._taken_back())
                raise
            if window is self._window:
                self._stored = kept
        return window.add(asked, reply)

    async def touch(self) -> None:
        """Return once the time of a dialogue that was read counts from now.

        In a store that cannot be written it is over sooner.
        """
        if self._stored is not None:
            with suppress(EmpganError):
                await self._store.touch(self._key)

    async def _taken_back(self) -> None:
        """Have the store keep what it kept before a message that was cancelled while it was put."""
        try:
            if self._stored is None:
                await self._store.delete(self._key)
            else:
                await self._store.put(self._key, self._stored)
        except EmpganError as error:
            _log.warning("a cancelled message stays in the store of sessions: %s", error)
