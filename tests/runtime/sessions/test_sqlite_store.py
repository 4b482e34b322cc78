"""The file of a store: whose it is, what is in it, what no longer is, and what else may be."""

from __future__ import annotations

import asyncio
import math
import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from empgan_rt import (
    AsyncResponder,
    DependencyError,
    InputError,
    ProviderError,
    Responder,
    SearchConfig,
    SqliteStore,
    StorageError,
)
from support.stores import Clock, talk

DAMAGES = 60
SEARCH = SearchConfig(beam_size=2, min_length=3, max_length=8)
SECRET = "I buried it under the pear tree"
HOLDER = """
import sys, time
from empgan_rt import SqliteStore
store = SqliteStore(sys.argv[1])
print("open", flush=True)
time.sleep(600)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


def with_store(path: Path, work: Callable[[SqliteStore], Awaitable[None]], **options: Any) -> None:
    """Run some work with a store that is opened for it and closed after it."""

    async def main() -> None:
        async with SqliteStore(path, **options) as store:
            await work(store)

    asyncio.run(main())


def fill(path: Path, *keys: str) -> None:
    async def work(store: SqliteStore) -> None:
        for key in keys:
            await store.put(key, talk(key, "Oh."))

    with_store(path, work)


def bytes_of(folder: Path) -> bytes:
    """Return all bytes of all files of a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_its_owner_alone_may_read_it(path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        await store.put("a", talk("we"))
        assert names(path.parent) == ["sessions.db", "sessions.db-wal"]
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == {0o600}

    with_store(path, work)
    assert names(path.parent) == ["sessions.db"]


def test_it_goes_on_after_it_was_closed(path: Path) -> None:
    fill(path, "a", "b", "ä \u202e'\"")

    async def work(store: SqliteStore) -> None:
        assert await store.keys() == ["a", "b", "ä \u202e'\""]

    with_store(path, work, create=False)


def test_what_was_called_is_done_before_it_closes(path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(path)
        puts = [asyncio.create_task(store.put(str(n), talk("we"))) for n in range(300)]
        await asyncio.sleep(0)
        await store.aclose()
        await asyncio.gather(*puts)
        await store.aclose()
        with pytest.raises(InputError, match="is closed"):
            await store.keys()

    asyncio.run(main())

    async def work(store: SqliteStore) -> None:
        assert len(await store.keys()) == 300

    with_store(path, work)


def test_one_process_has_it(path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        for _ in range(2):
            with pytest.raises(InputError, match=r"open already.*one process"):
                SqliteStore(path)
        await store.put("a", talk("we"))

    with_store(path, work)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        env={"PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(InputError, match="open already"):
            SqliteStore(path)
        holder.kill()
    fill(path, "b")


def test_a_forked_process_is_told(path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        child = os.fork()
        if not child:
            code = 1
            try:
                store.check_key("a")
                coroutine = store.put("a", talk("we"))
                coroutine.send(None)
            except ProviderError as error:
                code = 7 if "file of sessions was opened before" in str(error) else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        await store.put("a", talk("we"))
        with pytest.raises(InputError, match="open already"):
            SqliteStore(path)

    with_store(path, work)


def test_what_is_deleted_is_in_no_file(path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        for number in range(40):
            await store.put(f"other {number}", talk("we"))
            await store.put("somebody", talk(*[SECRET] * (number + 1)))
        assert SECRET.encode() in bytes_of(path.parent)
        assert await store.delete("somebody")
        assert SECRET.encode() not in bytes_of(path.parent)
        assert b"somebody" not in bytes_of(path.parent)
        assert len(await store.keys()) == 40

    with_store(path, work)


@pytest.mark.parametrize("how", ["time", "room"])
def test_what_is_out_of_time_or_room_is_in_no_file_after_the_end(path: Path, how: str) -> None:
    clock = Clock()

    async def work(store: SqliteStore) -> None:
        await store.put("a", talk(*[SECRET] * 40))
        clock.now_s += 60
        await store.put("b", talk("we"))
        over = (60, 9) if how == "time" else (999, 1)
        assert await store.tidy(*over, frozenset()) == 1

    with_store(path, work, clock=clock)
    assert SECRET.encode() not in bytes_of(path.parent)


def test_what_a_killed_process_had_deleted_goes_at_the_next_opening(path: Path) -> None:
    code = (
        "import asyncio, os, sys; from empgan_rt import SqliteStore, StoredDialogue, Turn\n"
        "from empgan_rt.sessions import sqlite_store\n"
        "async def main():\n"
        "    store = SqliteStore(sys.argv[1])\n"
        "    await store.put('a', StoredDialogue((Turn(sys.argv[2]),)))\n"
        "    sqlite_store.empty_log = lambda connection: os.kill(os.getpid(), 9)\n"
        "    await store.delete('a')\n"
        "asyncio.run(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), SECRET],
        env={"PYTHONPATH": ":".join(sys.path)},
        check=False,
    )
    assert done.returncode == -9
    assert SECRET.encode() in bytes_of(path.parent)

    async def work(store: SqliteStore) -> None:
        assert await store.keys() == []
        assert SECRET.encode() not in bytes_of(path.parent)

    with_store(path, work)


def make_database(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def other_table(path: Path) -> None:
    make_database(path, "CREATE TABLE sessions (key TEXT)", "INSERT INTO sessions VALUES ('a')")


def with_trigger(path: Path) -> None:
    fill(path, "a")
    make_database(path, "CREATE TRIGGER t AFTER INSERT ON sessions BEGIN DELETE FROM sessions; END")


def newer(path: Path) -> None:
    fill(path, "a")
    make_database(path, "PRAGMA user_version = 2")


def marked(path: Path) -> None:
    make_database(path, "PRAGMA application_id = 7")


def write_text(path: Path) -> None:
    path.write_text("{} is no database, whoever looks at it. " * 100)


def write_little(path: Path) -> None:
    path.write_text("SQLite format 3")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (other_table, "no file of sessions"),
        (with_trigger, "no file of sessions"),
        (marked, "no file of sessions"),
        (write_text, "no file of sessions"),
        (write_little, "no file of sessions"),
        (Path.mkdir, "no file of sessions"),
        (os.mkfifo, "no file of sessions"),
        (newer, r"of version 2, and this release reads 1.*upgrade"),
    ],
)
def test_what_is_another_s_is_refused_and_left_as_it_was(
    path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(InputError, match=message):
        SqliteStore(path)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert names(path.parent) == ["sessions.db"]


def test_where_no_file_can_be_is_told(path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot be made.*make its folder"):
        SqliteStore(path / "sessions.db")
    with pytest.raises(StorageError, match="cannot be opened"):
        SqliteStore(path.with_name("x" * 300))
    with pytest.raises(StorageError, match="cannot be opened"):
        SqliteStore("a\0b")
    with pytest.raises(InputError, match="no file"):
        SqliteStore(path, create=False)
    assert names(path.parent) == []


def test_an_empty_file_is_filled(path: Path) -> None:
    """A process that was killed just after it made the file leaves one."""
    path.touch()
    fill(path, "a")


def test_an_old_sqlite_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(DependencyError, match=r"3\.37 or newer"):
        SqliteStore(path)


@pytest.mark.parametrize("key", [5, ("channel", 7), b"a", 1.5, True])
def test_a_key_is_a_string(path: Path, key: Any) -> None:
    async def work(store: SqliteStore) -> None:
        with pytest.raises(InputError, match=r"key of type \w+ in a store that lasts.*f'"):
            await store.put(key, talk("we"))
        for text in ("a\0b", "\ud83d"):
            with pytest.raises(InputError, match="zero character or a lone surrogate"):
                await store.put(text, talk("we"))
        with pytest.raises(InputError, match="a turn with a lone surrogate"):
            await store.put("a", talk("\ud83d"))
        assert await store.keys() == []

    with_store(path, work)


@pytest.mark.parametrize("turns", ["[", "{}", '["we"]', '[{"text": "we", "emotion": "joy"}]', ""])
def test_turns_that_are_none_are_told(path: Path, turns: str) -> None:
    fill(path, "a", "b")
    make_database(path, f"UPDATE sessions SET turns = '{turns}' WHERE key = 'a'")

    async def work(store: SqliteStore) -> None:
        with pytest.raises(StorageError, match=r"is damaged.*put a copy"):
            await store.get("a", 9e9)
        assert await store.get("b", 9e9) is not None
        assert await store.delete("a")

    with_store(path, work)


async def use_all(store: SqliteStore) -> None:
    for key in await store.keys():
        await store.get(key, 9e9)
        await store.touch(key)
    await store.put("new", talk("we"))
    await store.tidy(9e9, 5, frozenset(["1"]))
    await store.delete("2")


def damaged_as_told(path: Path, whole: bytes, seed: int) -> bool:
    """Return whether damage was noticed; it must be told by an error of ours, or not matter."""
    draw = random.Random(seed)
    data = bytearray(whole)
    for _ in range(draw.choice([1, 1, 3, 50])):
        data[draw.randrange(len(data))] = draw.randrange(256)
    path.write_bytes(data[: draw.randrange(len(data))] if draw.random() < 0.2 else data)
    try:
        with_store(path, use_all)
    except (StorageError, InputError) as error:
        return "put a copy of it back" in error.hint or "give the path" in error.hint
    finally:
        path.unlink()
        path.with_name("sessions.db-wal").unlink(missing_ok=True)
    return False


def whole_file(path: Path) -> bytes:
    fill(path, *(str(number) for number in range(60)))
    return path.read_bytes()


def test_damage_is_told_by_an_error_of_ours(path: Path) -> None:
    whole = whole_file(path)
    noticed = [damaged_as_told(path, whole, seed) for seed in range(DAMAGES)]
    assert sum(noticed) > DAMAGES / 10


@pytest.mark.slow
def test_much_damage_is_told_by_an_error_of_ours(path: Path) -> None:
    whole = whole_file(path)
    noticed = [damaged_as_told(path, whole, seed) for seed in range(1000, 3000)]
    assert sum(noticed) > 200


def test_what_the_disk_refuses_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(store: SqliteStore) -> None:
        def refuse(connection: sqlite3.Connection) -> None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode, error.sqlite_errorname = 778, "SQLITE_IOERR_WRITE"
            raise error

        monkeypatch.setattr("empgan_rt.sessions.sqlite_store.empty_log", refuse)
        with pytest.raises(StorageError, match=r"IOERR_WRITE.*has room"):
            await store.delete("a")

    with_store(path, work)


def test_a_model_says_after_a_restart_what_it_would_have_said(path: Path, toy_folder: Path) -> None:
    lines = ["I am happy.", "what a day", "we"]
    session = Responder.load(toy_folder, search=SEARCH).session()
    wanted = [session.say(line).token_ids for line in lines]

    async def one_run(line: str) -> tuple[int, ...]:
        async with SqliteStore(path) as store, AsyncResponder.load(toy_folder) as responder:
            pool = responder.sessions(SEARCH, store=store, ttl_s=math.inf)
            reply = await pool.say("a", line, emotion=None)
            assert await pool.count() == 1
            found = await store.get("a", 9.0)
            assert found is not None
            assert found.bundle_id == responder.bundle.bundle_id
            return reply.token_ids

    assert [asyncio.run(one_run(line)) for line in lines] == wanted
