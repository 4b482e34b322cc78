"""A store of dialogues in a file, which outlives its process."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Callable, Hashable, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from ..errors import EmpganError, InputError
from ..threads import ProcessGuard
from .sqlite_file import damaged, empty_log, open_database, told
from .store import StoredDialogue
from .turns_as_json import turns_as_json, turns_of_json

Found = TypeVar("Found")
_GET = """SELECT turns, turns_dropped, bundle_id, used_at FROM sessions
    WHERE key = :key AND used_at > :over"""
_TOUCH = "UPDATE sessions SET used_at = :now WHERE key = :key"
_UPDATE = """UPDATE sessions SET bundle_id = :bundle_id, turns = :turns,
    turns_dropped = :turns_dropped, used_at = :now WHERE key = :key"""
_INSERT = """INSERT INTO sessions (key, bundle_id, turns, turns_dropped, used_at)
    VALUES (:key, :bundle_id, :turns, :turns_dropped, :now)"""
_SPARED = "(SELECT value FROM json_each(:spared))"
_DELETE = "DELETE FROM sessions WHERE key = :key"
_EXPIRE = f"DELETE FROM sessions WHERE used_at <= :over AND key NOT IN {_SPARED}"
_SPARED_ROWS = f"SELECT count(*) FROM sessions WHERE key IN {_SPARED}"
_EVICT = f"""DELETE FROM sessions WHERE key IN (
    SELECT key FROM sessions WHERE key NOT IN {_SPARED} ORDER BY used_at LIMIT :excess)"""


class SqliteStore:
    """Dialogues in one file of SQLite's; a `SessionStore`. Close it with `aclose`, or `async with`.

    What a call has done outlives the process, however it is killed; a machine that loses power may
    lose the newest calls, none of them by half. What is deleted is overwritten before `delete`
    returns; what is out of time or room, once the log is emptied, which it is every few MiB and
    when the file is opened or closed.

    The file belongs to one process at a time. A new one may be read by its owner alone. Its calls
    are made by a thread of its own, in order. A key is a string.

    Args:
        path: the file; its folder is there.
        create: whether it is made if it is not there.
        clock: returns seconds; those of the wall, as another process may read the file later.

    Raises:
        InputError: the file is open already, no file of sessions, of a newer version, or not there.
        DependencyError: this Python's SQLite is older than 3.37.
        StorageError: the file cannot be opened or written, or is damaged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._clock = Path(path), clock
        self._connection = open_database(self._path, create=create)
        self._rows = self._counted()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="empgan-sessions")
        self._guard = ProcessGuard("the file of sessions was opened")

    def check_key(self, key: Hashable) -> None:
        """Raise InputError if a key is no string, or one that SQLite cannot hold."""
        if not isinstance(key, str):
            raise InputError(
                f"a dialogue's key of type {type(key).__name__} in a store that lasts",
                hint="give a string, such as f'{channel}/{user}'",
            )
        if "\0" in key or not _is_utf8(key):
            raise InputError(
                "a dialogue's key with a zero character or a lone surrogate",
                hint="give a string of text",
            )

    async def get(self, key: Hashable, ttl_s: float) -> StoredDialogue | None:
        """Return what is kept under a key, as `SessionStore.get`."""
        self.check_key(key)
        return await self._done(lambda: self._row(key, ttl_s))

    async def put(self, key: Hashable, dialogue: StoredDialogue) -> None:
        """Keep a dialogue, as `SessionStore.put`."""
        self.check_key(key)
        row: dict[str, object] = {
            "key": key,
            "bundle_id": dialogue.bundle_id,
            "turns": turns_as_json(dialogue.turns),
            "turns_dropped": dialogue.turns_dropped,
        }

        def work() -> None:
            row["now"] = self._clock()
            if not self._execute(_UPDATE, **row).rowcount:
                self._rows += self._execute(_INSERT, **row).rowcount

        await self._done(work)

    async def touch(self, key: Hashable) -> None:
        """Note that a dialogue is used now, as `SessionStore.touch`."""
        self.check_key(key)
        await self._done(lambda: self._execute(_TOUCH, now=self._clock(), key=key))

    async def delete(self, key: Hashable) -> bool:
        """Delete what is kept under a key and overwrite it, as `SessionStore.delete`."""
        self.check_key(key)

        def work() -> bool:
            gone = self._execute(_DELETE, key=key).rowcount
            self._rows -= gone
            empty_log(self._connection)
            return gone > 0

        return await self._done(work)

    async def tidy(self, ttl_s: float, limit: int, spared: Set[Hashable]) -> int:
        """Delete what is out of time or of room, as `SessionStore.tidy`."""
        keys = json.dumps([*spared])

        def work() -> int:
            self._rows -= self._execute(_EXPIRE, over=self._clock() - ttl_s, spared=keys).rowcount
            spared_rows: int = self._execute(_SPARED_ROWS, spared=keys).fetchone()[0]
            excess = self._rows - spared_rows + len(spared) - limit
            if excess > 0:
                self._rows -= self._execute(_EVICT, spared=keys, excess=excess).rowcount
            return self._rows - spared_rows

        return await self._done(work)

    async def keys(self) -> list[str]:
        """Return every key, that of the dialogue unused longest first.

        Raises:
            InputError: the store is closed.
            StorageError: the file cannot be read.
        """
        return await self._done(
            lambda: [key for (key,) in self._execute("SELECT key FROM sessions ORDER BY used_at")]
        )

    async def aclose(self) -> None:
        """Refuse new calls, wait for those that were made, and close the file."""
        self._guard.check()
        self._thread.shutdown(wait=False)
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> SqliteStore:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def _counted(self) -> int:
        """Return how many dialogues there are; counting at each message would cost it more."""
        try:
            with told(self._path):
                rows: int = self._execute("SELECT count(*) FROM sessions").fetchone()[0]
        except BaseException:
            self._connection.close()
            raise
        return rows

    def _close(self) -> None:
        self._thread.shutdown()
        with told(self._path):
            self._connection.close()

    async def _done(self, work: Callable[[], Found]) -> Found:
        """Return what a piece of work in the store's thread returns.

        Raises:
            InputError: the store is closed.
            ProviderError: this process was forked since the file was opened.
            StorageError: the file cannot be read or written, or is damaged.
        """
        self._guard.check()

        def careful() -> Found:
            with told(self._path):
                return work()

        try:
            future = self._thread.submit(careful)
        except RuntimeError:
            raise InputError(f"{self._path} is closed", hint="open it again") from None
        return await asyncio.wrap_future(future)

    def _execute(self, statement: str, **values: object) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    def _row(self, key: Hashable, ttl_s: float) -> StoredDialogue | None:
        """Return what is kept under a key."""
        found = self._execute(_GET, key=key, over=self._clock() - ttl_s).fetchone()
        if found is None:
            return None
        turns, dropped, bundle_id, used_at = found
        try:
            return StoredDialogue(turns_of_json(turns), dropped, bundle_id, used_at)
        except (msgspec.DecodeError, EmpganError):
            raise damaged(self._path) from None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
