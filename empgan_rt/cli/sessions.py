"""`empgan-rt sessions`: what a file of sessions holds, as JSON lines, and how it is deleted."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from ..dialogue.turns import Turn
from ..errors import InputError
from ..sessions.sqlite_store import SqliteStore
from ..sessions.store import StoredDialogue
from . import console

Found = TypeVar("Found")


@click.group()
def sessions() -> None:
    """List, show or delete the dialogues in a file that no other process has open."""


@sessions.command("list")
@click.argument("path")
@console.json_option
def list_keys(path: str, as_json: bool) -> None:
    """Print a line of JSON for each dialogue in PATH, that of the one unused longest first."""

    async def work(store: SqliteStore) -> list[dict[str, Any]]:
        rows = []
        for key in await store.keys():
            dialogue = await _dialogue(store, path, key)
            rows.append(_record(key, dialogue, len(dialogue.turns)))
        return rows

    rows = _with_store(path, work)
    if as_json:
        console.emit({"sessions": rows}, "", as_json=True)
    else:
        for row in rows:
            console.emit(row, "", as_json=True)


@sessions.command()
@click.argument("path")
@click.argument("key")
@console.json_option
def show(path: str, key: str, as_json: bool) -> None:
    """Print all that PATH keeps of the dialogue of KEY, as one line of JSON, with --json or not."""

    async def work(store: SqliteStore) -> dict[str, Any]:
        dialogue = await _dialogue(store, path, key)
        return _record(key, dialogue, [_turn_record(turn) for turn in dialogue.turns])

    console.emit(_with_store(path, work), "", as_json=True)


@sessions.command()
@click.argument("path")
@click.argument("key")
@console.json_option
def delete(path: str, key: str, as_json: bool) -> None:
    """Delete the dialogue of KEY from PATH, and overwrite its place in the file."""

    async def work(store: SqliteStore) -> None:
        if not await store.delete(key):
            raise _nothing(path)

    _with_store(path, work)
    console.emit({"key": key, "deleted": True}, "deleted", as_json=as_json)


def _with_store(path: str, work: Callable[[SqliteStore], Awaitable[Found]]) -> Found:
    """Return what some work with a file that is there returns."""

    async def main() -> Found:
        async with SqliteStore(path, create=False) as store:
            return await work(store)

    return asyncio.run(main())


async def _dialogue(store: SqliteStore, path: str, key: str) -> StoredDialogue:
    """Return what is kept under a key, however long ago it was used.

    Raises:
        InputError: there is nothing.
    """
    dialogue = await store.get(key, math.inf)
    if dialogue is None:
        raise _nothing(path)
    return dialogue


def _nothing(path: str) -> InputError:
    return InputError(
        f"no dialogue of that key in {path}", hint="`empgan-rt sessions list` shows the keys"
    )


def _record(key: str, dialogue: StoredDialogue, turns: object) -> dict[str, Any]:
    """Return a dialogue as plain JSON values."""
    used_at = datetime.fromtimestamp(dialogue.used_at, UTC)
    return {
        "key": key,
        "turns": turns,
        "turns_dropped": dialogue.turns_dropped,
        "bundle_id": dialogue.bundle_id,
        "used_at": used_at.isoformat(timespec="seconds"),
    }


def _turn_record(turn: Turn) -> dict[str, str | None]:
    return {
        "text": turn.text,
        "emotion": None if turn.emotion is None else turn.emotion.name.lower(),
    }
