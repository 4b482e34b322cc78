"""Many dialogues of one responder, each found by a key: what a chat bot talks through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Hashable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from ..config import SearchConfig
from ..dialogue.reply import Chunk, Reply
from ..dialogue.turns import Emotion, Turn
from ..errors import InputError, QueueFullError
from ..guard.protocol import AsyncGuard, Guard
from .async_session import AsyncResponds
from .memory_store import MemoryStore
from .store import SessionStore
from .stored_session import StoredSession


class PoolResponds(AsyncResponds, Protocol):
    """What a pool asks of a responder.

    Attributes:
        max_queue: most messages that wait in one dialogue.
    """

    max_queue: int


@dataclass(eq=False)
class _Dialogue:
    """A session, and how many of its messages have replies to come."""

    session: StoredSession
    messages: int = 0


class SessionPool:
    """Dialogues by key; for one event loop. `AsyncResponder.sessions` makes it.

    Messages of one key are answered in order, those of different keys together. A key is whatever
    names a dialogue: a string, a number, a tuple such as (channel, user). Keys that are equal
    share a dialogue; 1 and "1" are not equal. A store that lasts takes strings alone.

    Between messages the turns are in a store, and nowhere else. A reply is given when its turns are
    there, so that a store that lasts has them whenever the process ends. Of a message that fails,
    is cancelled or is blocked by a guard it has none.

    At most `limit` dialogues are remembered. A new one takes the place of the one unused longest,
    even if its first message fails and leaves the place empty again. Those with a reply still to
    come keep theirs, and if all have one, the new one is refused.

    What is unused for `ttl_s` is never read again. No task runs for that: its place is free with
    the next message. Until then the store is bounded as ever: by `limit` dialogues, each
    of as many turns as the model reads, each of the most characters that a turn may have.

    Args:
        responder: answers; it may serve others too, and is not closed with the pool.
        search: how to search; None for the responder's own.
        guard: who watches; None for the responder's own.
        store: has the turns, and is not closed with the pool; None for one in memory. If other
            pools use it too, no key may be in two of them, and `limit` is of all they keep.
        limit: most dialogues that are remembered.
        ttl_s: seconds from the end of a message until its dialogue is forgotten; may be infinite.

    Raises:
        InputError: limit or ttl_s is out of range.
    """

    def __init__(
        self,
        responder: PoolResponds,
        search: SearchConfig | None = None,
        guard: Guard | AsyncGuard | None = None,
        *,
        store: SessionStore | None = None,
        limit: int = 1000,
        ttl_s: float = 3600.0,
    ) -> None:
        if limit < 1:
            raise InputError(f"limit is {limit}", hint="give 1 or more")
        if not ttl_s > 0:
            raise InputError(f"ttl_s is {ttl_s}", hint="give seconds above 0, or math.inf")
        self._responder, self._search, self._guard = responder, search, guard
        self._store = MemoryStore() if store is None else store
        self._limit, self._ttl_s = limit, ttl_s
        self._talking: dict[Hashable, _Dialogue] = {}  # with replies to come

    async def say(
        self,
        key: Hashable,
        text: str,
        *,
        emotion: Emotion | None = None,
        deadline_s: float | None = None,
    ) -> Reply:
        """Return the reply to a user's turn in the dialogue of a key; as `AsyncSession.say`.

        Raises:
            InputError: the key cannot name a dialogue, or as `AsyncResponder.reply`.
            QueueFullError: all `limit` dialogues have a reply to come, `max_queue` messages of this
                one wait already, or as `AsyncResponder.reply`.
            StorageError: the turns cannot be read or stored.
            EmpganError: as `AsyncResponder.reply`.
        """
        async with self._in_use(key) as session:
            return await session.say(text, emotion=emotion, deadline_s=deadline_s)

    async def stream(
        self,
        key: Hashable,
        text: str,
        *,
        emotion: Emotion | None = None,
        deadline_s: float | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """Yield that reply in pieces; as `AsyncSession.stream`.

        The last one is given when the turns are stored. Until the generator ends or is closed, the
        dialogue has a reply to come.

        Raises:
            EmpganError: as `say`.
        """
        async with self._in_use(key) as session:
            chunks = session.stream(text, emotion=emotion, deadline_s=deadline_s)
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk

    async def forget(self, key: Hashable) -> None:
        """Forget the dialogue of a key, if there is one; replies still to come are not remembered.

        What waits for such a reply begins a new dialogue. Encodings of turns may stay in the
        responder's `turn_cache`.

        Raises:
            InputError: the key cannot name a dialogue.
            StorageError: the store cannot be written.
        """
        self._store.check_key(key)
        dialogue = self._talking.get(key)
        if dialogue is not None:
            dialogue.session.reset()
        await self._store.delete(key)

    async def turns(self, key: Hashable) -> tuple[Turn, ...]:
        """Return the turns that are remembered under a key, as `AsyncSession.turns`.

        That is no use of the dialogue: it is forgotten no later.

        Raises:
            InputError: the key cannot name a dialogue.
            StorageError: the store cannot be read.
        """
        self._store.check_key(key)
        dialogue = self._talking.get(key)
        if dialogue is not None and dialogue.session.is_read:
            return dialogue.session.turns
        stored = await self._store.get(key, self._ttl_s)
        return () if stored is None else stored.turns[-self._responder.limits.max_turns :]

    async def count(self) -> int:
        """Return how many dialogues are remembered or have a reply to come.

        Raises:
            StorageError: the store cannot be read or written.
        """
        return len(self._talking) + await self._tidied()

    @asynccontextmanager
    async def _in_use(self, key: Hashable) -> AsyncIterator[StoredSession]:
        """Lend the session of a key, a new one if there is none, to one message."""
        self._store.check_key(key)
        dialogue = self._talking.get(key)
        if dialogue is None:
            dialogue = self._talking[key] = self._opened(key)
        elif dialogue.messages > self._responder.max_queue:
            raise QueueFullError(
                f"{dialogue.messages - 1} messages wait in this dialogue, as many as may",
                hint="say more when its replies are there, or raise max_queue",
            )
        dialogue.messages += 1
        try:
            await self._tidied()
            yield dialogue.session
        except BaseException:
            await asyncio.shield(dialogue.session.touch())
            raise
        finally:
            dialogue.messages -= 1
            if not dialogue.messages:
                del self._talking[key]

    def _opened(self, key: Hashable) -> _Dialogue:
        """Return a dialogue that nobody talks in yet.

        Raises:
            QueueFullError: as many talk as may.
        """
        if len(self._talking) >= self._limit:
            raise QueueFullError(
                f"{len(self._talking)} dialogues have a reply to come, as many as may",
                hint="ask again later, or raise limit",
            )
        return _Dialogue(
            StoredSession(
                self._responder,
                self._search,
                self._guard,
                store=self._store,
                key=key,
                ttl_s=self._ttl_s,
            )
        )

    async def _tidied(self) -> int:
        """Return how many dialogues the store has that nobody talks in, once the rest is gone."""
        return await self._store.tidy(self._ttl_s, self._limit, frozenset(self._talking))
