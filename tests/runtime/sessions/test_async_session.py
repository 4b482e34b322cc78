"""Dialogues of one event loop: each remembers its own turns, answers in order, and forgets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from empgan_rt import (
    AsyncResponder,
    AsyncSession,
    DeadlineError,
    Emotion,
    InputError,
    Responder,
    SearchConfig,
    Turn,
)
from empgan_rt.bundle.bundle import Bundle
from support.counting_backend import counting_async

SEARCH = SearchConfig(beam_size=2, min_length=3, max_length=8)
LONG = SearchConfig(beam_size=1, min_length=100, max_length=100, no_repeat_ngram=0)


def with_session(
    folder: Path,
    talk: Callable[[AsyncSession], Awaitable[None]],
    search: SearchConfig = SEARCH,
    pause_s: float = 0.0,
) -> None:
    """Run a talk with a session of a fresh responder."""

    async def main() -> None:
        answers, _ = counting_async(Bundle.open(folder), pause_s)
        async with answers:
            await talk(answers.session(search))

    asyncio.run(main())


def test_it_says_what_a_session_says_and_remembers_as_much(toy_folder: Path) -> None:
    said = ["I am happy.", "what a day", "we"]
    plain = Responder.load(toy_folder).session(SEARCH)
    wanted = [plain.say(text, emotion=Emotion.HAPPINESS).text for text in said]

    async def talk(session: AsyncSession) -> None:
        assert session.turns == ()
        found = [await session.say(text, emotion=Emotion.HAPPINESS) for text in said[:2]]
        chunks = [chunk async for chunk in session.stream(said[2], emotion=Emotion.HAPPINESS)]
        texts = [*(reply.text for reply in found), "".join(chunk.text for chunk in chunks)]
        assert texts == wanted
        assert session.turns == plain.turns
        session.reset()
        assert session.turns == ()
        assert (await session.say(said[0], emotion=Emotion.HAPPINESS)).text == wanted[0]

    with_session(toy_folder, talk)


def test_sessions_talk_side_by_side_and_share_no_turn(toy_folder: Path) -> None:
    async def main() -> None:
        async with AsyncResponder.load(toy_folder) as answers:
            sessions = [answers.session(SEARCH) for _ in range(8)]
            replies = await asyncio.gather(*(session.say("I am happy.") for session in sessions))
            assert len({reply.text for reply in replies}) == 1
            assert all(len(session.turns) == 2 for session in sessions)

    asyncio.run(main())


def test_what_is_said_early_waits_for_the_reply_before(toy_folder: Path) -> None:
    async def talk(session: AsyncSession) -> None:
        first, second = await asyncio.gather(session.say("I am happy."), session.say("we"))
        assert [len(reply.emotions) for reply in (first, second)] == [1, 3]
        assert session.turns == (
            Turn("I am happy."),
            Turn(first.text),
            Turn("we"),
            Turn(second.text),
        )

    with_session(toy_folder, talk, pause_s=0.001)


def test_what_fails_leaves_no_trace_and_lets_the_next_one_through(toy_folder: Path) -> None:
    async def talk(session: AsyncSession) -> None:
        with pytest.raises(InputError):
            await session.say("")
        with pytest.raises(DeadlineError):
            await session.say("I am happy.", deadline_s=0.05)
        task = asyncio.create_task(session.say("I am happy."))
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        stream = session.stream("I am happy.")
        await anext(stream)
        await stream.aclose()
        assert session.turns == ()
        await session.say("we")
        assert len(session.turns) == 2

    with_session(toy_folder, talk, LONG, pause_s=0.005)


def test_reset_forgets_the_reply_that_is_still_to_come(toy_folder: Path) -> None:
    async def talk(session: AsyncSession) -> None:
        stream = session.stream("I am happy.")
        await anext(stream)
        session.reset()
        rest = [chunk async for chunk in stream]
        assert rest[-1].reply is not None
        assert session.turns == ()

    with_session(toy_folder, talk, LONG)


def test_it_keeps_no_more_than_is_read_and_counts_the_rest(toy_folder: Path) -> None:
    async def talk(session: AsyncSession) -> None:
        for _ in range(26):
            await session.say("we")
        assert len(session.turns) == 50
        assert (await session.say("we")).turns_dropped == 52 + 1 - 50
        *_, last = [chunk async for chunk in session.stream("we")]
        assert last.reply is not None
        assert last.reply.turns_dropped == 54 + 1 - 50

    with_session(toy_folder, talk)
