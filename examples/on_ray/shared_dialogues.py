"""Dialogues in one SQLite file for many processes: one actor has the file, all others ask it.

The actor runs where the cluster has the resource "dialogues", so on the one machine that has the
file, also after it was killed. Its calls are done one after the other, and may be done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Set
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from empgan_rt import InputError, QueueFullError, SqliteStore, StorageError, StoredDialogue

KEPT_S = 30 * 24 * 3600.0  # after the last message


@ray.remote(num_cpus=0, resources={"dialogues": 1}, max_restarts=-1, max_task_retries=-1)
class Keeper:
    """Has the file."""

    def __init__(self, path: str) -> None:
        self._store, self._run = SqliteStore(path), asyncio.Runner().run

    def call(self, name: str, *arguments: Any) -> Any:
        """Return what the store returns."""
        return self._run(getattr(self._store, name)(*arguments))

    def put(self, key: str, new: StoredDialogue) -> None:
        """Keep a dialogue that adds one message to what is kept; refuse any other."""
        kept = self.call("get", key, KEPT_S) or StoredDialogue(())
        said = new.turns_dropped + len(new.turns) - kept.turns_dropped - len(kept.turns)
        before = new.turns[: max(len(new.turns) - said, 0)]
        if said not in (1, 2) or before != kept.turns[len(kept.turns) - len(before) :]:
            raise QueueFullError("another process answered in this dialogue", hint="say it again")
        self.call("put", key, new)


class SharedStore:
    """A `SessionStore` whose dialogues are with the actor."""

    def __init__(self, path: str) -> None:
        self._keeper = Keeper.options(
            name="keeper", namespace="dialogues", lifetime="detached", get_if_exists=True
        ).remote(path)

    def check_key(self, key: Hashable) -> None:
        """Raise InputError if a key is no string."""
        if not isinstance(key, str):
            raise InputError(f"a key of type {type(key).__name__}", hint="give a string")

    async def get(self, key: Hashable, ttl_s: float) -> StoredDialogue | None:
        """Return what is kept under a key."""
        return await self._answer(self._keeper.call.remote("get", key, ttl_s))

    async def put(self, key: Hashable, dialogue: StoredDialogue) -> None:
        """Return once a dialogue is kept."""
        await self._answer(self._keeper.put.remote(key, dialogue))

    async def touch(self, key: Hashable) -> None:
        """Return once a dialogue counts as used now."""
        await self._answer(self._keeper.call.remote("touch", key))

    async def delete(self, key: Hashable) -> bool:
        """Return once nothing is kept under a key."""
        return await self._answer(self._keeper.call.remote("delete", key))

    async def tidy(self, ttl_s: float, limit: int, spared: Set[Hashable]) -> int:
        """Return how many dialogues are kept, once the rest is deleted."""
        return await self._answer(self._keeper.call.remote("tidy", ttl_s, limit, spared))

    async def _answer(self, coming: Any) -> Any:
        try:
            return await coming
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            raise StorageError(f"no answer about dialogues: {type(error).__name__}") from None
