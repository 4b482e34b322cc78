"""Stores of sessions for tests: a clock that ticks, and calls that wait for the test."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from empgan_rt import SessionStore, SqliteStore, StoredDialogue, Turn
from empgan_rt.sessions.memory_store import MemoryStore


class Clock:
    """Goes on by a moment at each look, and otherwise when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        self.now_s += 1e-6
        return self.now_s


@contextmanager
def opened(kind: str, folder: Path, clock: Clock) -> Iterator[SessionStore]:
    """Open a store of a kind, "memory" or "sqlite"."""
    if kind == "memory":
        yield MemoryStore(clock=clock)
        return
    store = SqliteStore(folder / "sessions.db", clock=clock)
    try:
        yield store
    finally:
        asyncio.run(store.aclose())


def talk(*texts: str, dropped: int = 0) -> StoredDialogue:
    """Return a dialogue of some texts."""
    return StoredDialogue(tuple(Turn(text) for text in texts), dropped, "some model")


class GatedStore:
    """Passes calls on; what the store has done is told when a gate is open.

    Attributes:
        gate, read_gate: of `put` and of `get`.
        puts: how many began.
        error: what the next `put` raises in place of keeping anything.
    """

    def __init__(self, inner: SessionStore) -> None:
        self._inner = inner
        self.gate = asyncio.Event()
        self.gate.set()
        self.read_gate = asyncio.Event()
        self.read_gate.set()
        self.puts = 0
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def put(self, key: Hashable, dialogue: StoredDialogue) -> None:
        self.puts += 1
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        await self._inner.put(key, dialogue)
        await self.gate.wait()

    async def get(self, key: Hashable, ttl_s: float) -> StoredDialogue | None:
        found = await self._inner.get(key, ttl_s)
        await self.read_gate.wait()
        return found
