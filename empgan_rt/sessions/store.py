"""Where the turns of dialogues stay between messages: what a pool asks of a store."""

from __future__ import annotations

from collections.abc import Hashable, Set
from dataclasses import dataclass
from typing import Protocol

from ..dialogue.turns import Turn


@dataclass(frozen=True)
class StoredDialogue:
    """What is kept of one dialogue.

    It is text. So a dialogue goes on with whichever model opens it next, and encodings, which are
    of one model, are never stored.

    Attributes:
        turns: both speakers' newest turns, oldest first.
        turns_dropped: older turns that are no longer kept.
        bundle_id: the model that said the last reply.
        used_at: when it was used last, in seconds of the store's clock; `put` does not read it.
    """

    turns: tuple[Turn, ...]
    turns_dropped: int = 0
    bundle_id: str = ""
    used_at: float = 0.0


class SessionStore(Protocol):
    """Turns by key, for one event loop or several; `MemoryStore` and `SqliteStore` are such.

    What is called first takes effect first. Each call takes effect wholly or not at all: not at all
    if it raises, either way if it is cancelled. The store has the clock, and whoever calls says how
    long and how many.
    """

    def check_key(self, key: Hashable) -> None:
        """Raise InputError if a key cannot name a dialogue here."""

    async def get(self, key: Hashable, ttl_s: float) -> StoredDialogue | None:
        """Return what is kept under a key; None if that is nothing, or unused for `ttl_s` seconds.

        It is no use of the dialogue.

        Raises:
            InputError: the key cannot name a dialogue, or the store is closed.
            StorageError: the store cannot be read.
        """

    async def put(self, key: Hashable, dialogue: StoredDialogue) -> None:
        """Return once a dialogue is kept, in the place of an older one; it is used now.

        Raises:
            InputError: as `get`.
            StorageError: the store cannot be written; what was kept is still there.
        """

    async def touch(self, key: Hashable) -> None:
        """Return once it is noted that what is kept under a key, if anything, is used now.

        Raises:
            InputError: as `get`.
            StorageError: the store cannot be written.
        """

    async def delete(self, key: Hashable) -> bool:
        """Return once nothing is kept under a key, and whether there was anything.

        Raises:
            InputError: as `get`.
            StorageError: the store cannot be written.
        """

    async def tidy(self, ttl_s: float, limit: int, spared: Set[Hashable]) -> int:
        """Delete what is unused for `ttl_s`, then what is unused longest; return how many are left.

        Args:
            ttl_s: seconds; may be infinite.
            limit: most dialogues that are left, all of `spared` counted, kept already or not.
            spared: keys whose dialogues stay; the number that is returned leaves them out.

        Raises:
            InputError: the store is closed.
            StorageError: the store cannot be read or written.
        """
