"""`empgan-rt sessions`: one user's words can be listed, shown and deleted for good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from empgan_rt import SqliteStore, StoredDialogue, Turn
from support.command_line import Outcome

Command = Callable[..., Outcome]
SECRET = "I buried it under the pear tree"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two dialogues."""
    path, times = tmp_path / "sessions.db", iter([100.0, 1_800_000_000.0])

    async def main() -> None:
        async with SqliteStore(path, clock=lambda: next(times)) as store:
            turns = (Turn(SECRET, "sadness"), Turn("Oh. \u202e\n"))
            await store.put("user\n1", StoredDialogue(turns, 3, "abc"))
            await store.put("2", StoredDialogue((Turn("we"),), 0, "abc"))

    asyncio.run(main())
    return path


def test_list_prints_a_line_for_each(command: Command, path: Path) -> None:
    outcome = command("sessions", "list", path)
    assert (outcome.code, outcome.err) == (0, "")
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    one = {
        "key": "user\n1",
        "turns": 2,
        "turns_dropped": 3,
        "bundle_id": "abc",
        "used_at": "1970-01-01T00:01:40+00:00",
    }
    assert rows[0] == one
    assert (rows[1]["key"], rows[1]["used_at"]) == ("2", "2027-01-15T08:00:00+00:00")
    assert SECRET not in outcome.out
    assert command("--json", "sessions", "list", path).json == {"sessions": rows}


def test_show_prints_all_that_is_kept(command: Command, path: Path) -> None:
    for outcome in (
        command("sessions", "show", path, "user\n1"),
        command("sessions", "show", path, "user\n1", "--json"),
    ):
        assert (outcome.code, len(outcome.out.splitlines())) == (0, 1)
        assert outcome.json["turns"] == [
            {"text": SECRET, "emotion": "sadness"},
            {"text": "Oh. \u202e\n", "emotion": None},
        ]
        assert (outcome.json["key"], outcome.json["turns_dropped"]) == ("user\n1", 3)


def test_what_is_deleted_is_gone_from_the_bytes(command: Command, path: Path) -> None:
    assert SECRET.encode() in path.read_bytes()
    outcome = command("sessions", "delete", path, "user\n1")
    assert (outcome.code, outcome.out) == (0, "deleted\n")
    assert [file.name for file in path.parent.iterdir()] == ["sessions.db"]
    assert SECRET.encode() not in path.read_bytes()
    assert [json.loads(line)["key"] for line in command("sessions", "list", path).out.split()] == [
        "2"
    ]
    assert command("sessions", "delete", path, "2", "--json").json == {"key": "2", "deleted": True}
    assert command("sessions", "list", path).out == ""


@pytest.mark.parametrize("what", ["show", "delete"])
def test_a_key_that_is_not_there_is_told(command: Command, path: Path, what: str) -> None:
    outcome = command("sessions", what, path, "nobody")
    assert outcome.code == 2
    assert "no dialogue of that key" in outcome.err
    assert "sessions list" in outcome.err


@pytest.mark.parametrize("arguments", [("list",), ("show", "2"), ("delete", "2")])
def test_files_that_cannot_be_used_are_told_and_none_is_made(
    command: Command, tmp_path: Path, path: Path, arguments: tuple[str, ...]
) -> None:
    what, *key = arguments
    missing = tmp_path / "other.db"
    assert (command("sessions", what, missing, *key).code, missing.exists()) == (2, False)
    missing.write_text("no database at all, but a text" * 50)
    outcome = command("sessions", what, missing, *key, "--json")
    assert (outcome.code, "no file of sessions" in outcome.json["error"]["message"]) == (2, True)

    async def beside() -> None:
        async with SqliteStore(path):
            outcome = await asyncio.to_thread(command, "sessions", what, path, *key)
            assert (outcome.code, "open already" in outcome.err) == (2, True)

    asyncio.run(beside())
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    assert command("sessions", what, path, *key).code == 9
