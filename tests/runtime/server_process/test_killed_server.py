"""A server that is killed while clients talk with it loses no turn that one of them read."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest

from empgan_rt import SqliteStore
from support.http_talkers import Talker
from support.served import Served, serve

TALKERS = 16


async def stored(path: Path) -> dict[str, list[str]]:
    """Return the texts of all dialogues in a file."""
    async with SqliteStore(path, create=False) as store:
        found = {key: await store.get(key, float("inf")) for key in await store.keys()}
    return {key: [turn.text for turn in kept.turns] for key, kept in found.items() if kept}


async def talk_and_kill(served: Served, talkers: list[Talker], wait_s: float) -> list[str]:
    """Return what is wrong with the dialogues of before; then go on with them until a kill."""
    shown = [talker.look(served.port, talker.talks[-2:]) for talker in talkers]
    faults = [fault for found in await asyncio.gather(*shown) for fault in found]
    began = asyncio.Event()
    talks = [asyncio.create_task(talker.talk(served.port, began)) for talker in talkers]
    first = asyncio.create_task(began.wait())
    await asyncio.wait([first, *talks], return_when=asyncio.FIRST_COMPLETED)
    first.cancel()
    await asyncio.sleep(wait_s)
    served.signal(signal.SIGKILL)
    await asyncio.gather(*talks)
    return faults


@pytest.mark.parametrize(
    "kills", [pytest.param(4, marks=pytest.mark.slow), pytest.param(100, marks=pytest.mark.soak)]
)
def test_a_killed_server_loses_no_turn_that_a_client_read(tmp_path: Path, kills: int) -> None:
    path, dice = tmp_path / "sessions.db", random.Random(kills)
    options = ("tiny", "--sessions", str(path), "--ttl", "inf", "--max-sessions", "1000000", "-q")
    talkers = [Talker(f"talker-{number}") for number in range(TALKERS)]
    for _ in range(kills):
        with serve(*options) as served:
            assert asyncio.run(talk_and_kill(served, talkers, dice.uniform(0, 1))) == []
            assert served.ended()[0] == -signal.SIGKILL
        found = asyncio.run(stored(path))
        talks = [talk for talker in talkers for talk in talker.talks]
        faults = [talk.fault(found.get(talk.key, [])) for talk in talks]
        assert not [fault for fault in faults if fault]
        assert not [wrong for talker in talkers for wrong in talker.is_wrong]
    answered = sum(talker.answered for talker in talkers)
    print(f"{kills} kills, {answered} messages answered, {len(talks)} dialogues")
    assert answered >= kills
