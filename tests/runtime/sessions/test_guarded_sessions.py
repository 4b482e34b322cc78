"""What a guard stops in a session: what is remembered of it, and what is not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from empgan_rt import AsyncResponder, Responder, SearchConfig, Turn
from support.guards import ScriptedGuard, SlowGuard, stops

SEARCH = SearchConfig(beam_size=2, min_length=3)
LINES = ["I am happy.", "that bad day", "we"]


@pytest.fixture
def wanted(toy_folder: Path) -> list[str]:
    """What the model says if nobody says the bad line."""
    session = Responder.load(toy_folder, search=SEARCH).session()
    return [session.say(line).text for line in (LINES[0], LINES[2])]


@pytest.mark.parametrize("streams", [False, True])
def test_a_blocked_message_leaves_no_trace(
    toy_folder: Path, wanted: list[str], streams: bool
) -> None:
    guard = ScriptedGuard(stops("bad", "block"))
    session = Responder.load(toy_folder, search=SEARCH).session(guard=guard)
    said = []
    for line in LINES:
        if streams:
            said.append("".join(chunk.text for chunk in session.stream(line)))
        else:
            said.append(session.say(line).text)
    assert said == [wanted[0], "Please stop.", wanted[1]]
    assert [turn.text for turn in session.turns] == [LINES[0], wanted[0], LINES[2], wanted[1]]
    assert guard.read[2] == [LINES[0], wanted[0], LINES[2]]


@pytest.mark.parametrize("action", ["replace", "hand_over"])
def test_a_replaced_reply_is_remembered(toy_folder: Path, action: str) -> None:
    responder = Responder.load(toy_folder, guard=ScriptedGuard(stops("bad", action)))
    session = responder.session()
    session.say("that bad day")
    assert session.turns == (Turn("that bad day"), Turn("Please stop."))
    assert len(session.say("we").emotions) == 3


@pytest.mark.parametrize("is_async", [False, True])
def test_sessions_and_pools_of_an_event_loop(
    toy_folder: Path, wanted: list[str], is_async: bool
) -> None:
    guard: Any = ScriptedGuard(stops("bad", "block"))
    if is_async:
        guard = SlowGuard(guard)

    async def main() -> None:
        async with AsyncResponder.load(toy_folder, search=SEARCH) as responder:
            session = responder.session(guard=guard)
            pool = responder.sessions(guard=guard)
            for line, answer in zip(LINES, [wanted[0], "Please stop.", wanted[1]], strict=True):
                assert (await session.say(line)).text == answer
                chunks = [chunk async for chunk in pool.stream("somebody", line)]
                assert "".join(chunk.text for chunk in chunks) == answer
            assert session.turns == await pool.turns("somebody")
            assert [turn.text for turn in session.turns][2] == LINES[2]
            await pool.say("another", "a bad day")
            assert await pool.count() == 1  # of what was blocked nothing is kept

    asyncio.run(main())


def test_a_pool_refuses_what_is_no_guard(toy_folder: Path) -> None:
    async def main() -> None:
        async with AsyncResponder.load(toy_folder) as responder:
            with pytest.raises(ValueError, match="a guard of type"):
                responder.sessions(guard=object())  # type: ignore[arg-type]

    asyncio.run(main())
