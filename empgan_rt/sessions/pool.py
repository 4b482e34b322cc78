"""Many dialogues of one responder, each found by a key: what a chat bot talks through."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Protocol

from ..config import SearchConfig
from ..dialogue.reply import Chunk, Reply
from ..dialogue.turns import Emotion, Turn
from ..errors import InputError, QueueFullError
from ..guard.protocol import AsyncGuard, Guard
from .async_session import AsyncSession


class OpensSessions(Protocol):
    """What a pool asks of a responder.

    Attributes:
        max_queue: most messages that wait in one dialogue.
    """

    max_queue: int

    def session(
        self, search: SearchConfig | None = None, *, guard: Guard | AsyncGuard | None = None
    ) -> AsyncSession:
        """Return a new dialogue."""


@dataclass(eq=False)
class _Dialogue:
    """A session, its messages whose replies are to come, and when the last of these ended."""

    session: AsyncSession
    messages: int = 0
    unused_since: float = 0.0


class SessionPool:
    """Dialogues by key; for one event loop. `AsyncResponder.sessions` makes it.

    Messages of one key are answered in order, those of different keys together. A key is whatever
    names a dialogue: a string, a number, a tuple such as (channel, user). Keys that are equal
    share a dialogue; 1 and "1" are not equal.

    At most `limit` dialogues are remembered. A new one takes the place of the one unused longest,
    even if its first message fails and leaves the place empty again. Those with a reply still to
    come keep theirs, and if all have one, the new one is refused.

    What is unused for `ttl_s` is never read again. No task runs for that: the memory is free at the
    next call of any method, `len` too. Until then it is bounded as ever: by `limit` dialogues, each
    of as many turns as the model reads, each of the most characters that a turn may have.

    Args:
        responder: answers; it may serve others too, and is not closed with the pool.
        search: how to search; None for the responder's own.
        guard: who watches; None for the responder's own.
        limit: most dialogues that are remembered.
        ttl_s: seconds from the end of a reply until its dialogue is forgotten; may be infinite.
        clock: returns seconds and never goes back.

    Raises:
        InputError: limit or ttl_s is out of range.
    """

    def __init__(
        self,
        responder: OpensSessions,
        search: SearchConfig | None = None,
        guard: Guard | AsyncGuard | None = None,
        *,
        limit: int = 1000,
        ttl_s: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if limit < 1:
            raise InputError(f"limit is {limit}", hint="give 1 or more")
        if not ttl_s > 0:
            raise InputError(f"ttl_s is {ttl_s}", hint="give seconds above 0, or math.inf")
        self._responder, self._search, self._guard = responder, search, guard
        self._limit, self._ttl_s, self._clock = limit, ttl_s, clock
        self._talking: dict[Hashable, _Dialogue] = {}  # with replies to come
        self._unused: dict[Hashable, _Dialogue] = {}  # the one unused longest first

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
            InputError: the key is None or not hashable, or as `AsyncResponder.reply`.
            QueueFullError: all `limit` dialogues have a reply to come, `max_queue` messages of this
                one wait already, or as `AsyncResponder.reply`.
            EmpganError: as `AsyncResponder.reply`.
        """
        with self._in_use(key) as session:
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

        Until the generator ends or is closed, the dialogue has a reply to come.

        Raises:
            EmpganError: as `say`.
        """
        with self._in_use(key) as session:
            chunks = session.stream(text, emotion=emotion, deadline_s=deadline_s)
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk

    def forget(self, key: Hashable) -> None:
        """Forget the dialogue of a key, if there is one; replies still to come are not remembered.

        What waits for such a reply begins a new dialogue. Encodings of turns may stay in the
        responder's `turn_cache`.

        Raises:
            InputError: the key is None or not hashable.
        """
        dialogue = self._find(key)
        if dialogue is not None:
            dialogue.session.reset()
            self._unused.pop(key, None)

    def turns(self, key: Hashable) -> tuple[Turn, ...]:
        """Return the turns that are remembered under a key, as `AsyncSession.turns`.

        That is no use of the dialogue: it is forgotten no later.

        Raises:
            InputError: the key is None or not hashable.
        """
        dialogue = self._find(key)
        return () if dialogue is None else dialogue.session.turns

    def __len__(self) -> int:
        """Return how many dialogues are remembered or have a reply to come."""
        self._expire()
        return len(self._talking) + len(self._unused)

    @contextmanager
    def _in_use(self, key: Hashable) -> Iterator[AsyncSession]:
        """Lend the session of a key, a new one if there is none, to one message."""
        dialogue = self._find(key)
        if dialogue is None:
            self._make_room()
            dialogue = _Dialogue(self._responder.session(self._search, guard=self._guard))
        elif dialogue.messages > self._responder.max_queue:
            raise QueueFullError(
                f"{dialogue.messages - 1} messages wait in this dialogue, as many as may",
                hint="say more when its replies are there, or raise max_queue",
            )
        self._unused.pop(key, None)
        self._talking[key] = dialogue
        dialogue.messages += 1
        try:
            yield dialogue.session
        finally:
            dialogue.messages -= 1
            if not dialogue.messages:
                del self._talking[key]
                if dialogue.session.turns:
                    dialogue.unused_since = self._clock()
                    self._unused[key] = dialogue

    def _find(self, key: Hashable) -> _Dialogue | None:
        try:
            hash(key)
        except TypeError:
            key = None
        if key is None:  # everyone whose key is missing would share one dialogue
            raise InputError(
                "a dialogue's key is None or not hashable",
                hint="give a string, a number or a tuple of these",
            )
        self._expire()
        return self._talking.get(key) or self._unused.get(key)

    def _make_room(self) -> None:
        """Forget the dialogue unused longest, if a new one would be one too many."""
        if len(self._talking) >= self._limit:
            raise QueueFullError(
                f"{len(self._talking)} dialogues have a reply to come, as many as may",
                hint="ask again later, or raise limit",
            )
        if len(self._talking) + len(self._unused) >= self._limit:
            del self._unused[next(iter(self._unused))]

    def _expire(self) -> None:
        """Forget what is unused for too long."""
        now = self._clock()
        while self._unused:
            key, dialogue = next(iter(self._unused.items()))
            if now - dialogue.unused_since < self._ttl_s:
                break
            del self._unused[key]
