"""A store of dialogues that ends with its process."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Set
from dataclasses import replace

from ..errors import InputError
from .store import StoredDialogue


class MemoryStore:
    """Dialogues in memory; a `SessionStore`.

    A key is anything hashable but None: everyone whose key is missing would share one dialogue.

    Args:
        clock: returns seconds and never goes back.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Hashable, StoredDialogue] = {}  # the one unused longest first

    def check_key(self, key: Hashable) -> None:
        """Raise InputError if a key is None or not hashable."""
        try:
            hash(key)
        except TypeError:
            key = None
        if key is None:
            raise InputError(
                "a dialogue's key is None or not hashable",
                hint="give a string, a number or a tuple of these",
            )

    async def get(self, key: Hashable, ttl_s: float) -> StoredDialogue | None:
        """Return what is kept under a key, as `SessionStore.get`."""
        self.check_key(key)
        found = self._kept.get(key)
        return None if found is None or self._is_over(found, ttl_s) else found

    async def put(self, key: Hashable, dialogue: StoredDialogue) -> None:
        """Keep a dialogue, as `SessionStore.put`."""
        self.check_key(key)
        self._kept.pop(key, None)
        self._kept[key] = replace(dialogue, used_at=self._clock())

    async def touch(self, key: Hashable) -> None:
        """Note that a dialogue is used now, as `SessionStore.touch`."""
        self.check_key(key)
        if key in self._kept:
            await self.put(key, self._kept[key])

    async def delete(self, key: Hashable) -> bool:
        """Delete what is kept under a key, as `SessionStore.delete`."""
        self.check_key(key)
        return self._kept.pop(key, None) is not None

    async def tidy(self, ttl_s: float, limit: int, spared: Set[Hashable]) -> int:
        """Delete what is out of time or of room, as `SessionStore.tidy`."""
        left = len(self._kept) - sum(key in self._kept for key in spared)
        excess = left + len(spared) - limit
        gone: list[Hashable] = []
        for key, dialogue in self._kept.items():
            if key in spared:
                continue
            if len(gone) >= excess and not self._is_over(dialogue, ttl_s):
                break  # those after it were used later
            gone.append(key)
        for key in gone:
            del self._kept[key]
        return left - len(gone)

    def _is_over(self, dialogue: StoredDialogue, ttl_s: float) -> bool:
        return self._clock() - dialogue.used_at >= ttl_s
