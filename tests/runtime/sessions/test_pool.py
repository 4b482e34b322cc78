"""Dialogues by key: each its own, in order, bounded in number and in time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from empgan_rt import (
    AsyncResponder,
    Chunk,
    DeadlineError,
    Emotion,
    InputError,
    QueueFullError,
    Responder,
    SearchConfig,
    SessionPool,
    Turn,
)
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.sessions.memory_store import MemoryStore
from support.counting_backend import CountingBackend, counting_async
from support.scripted_answers import ScriptedAnswers, settle

SEARCH = SearchConfig(beam_size=2, min_length=3, max_length=8)
LONG = SearchConfig(beam_size=1, min_length=100, max_length=100, no_repeat_ngram=0)


class Clock:
    """Stands still unless told otherwise."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def with_responder(
    folder: Path,
    talk: Callable[[AsyncResponder, CountingBackend], Awaitable[None]],
    pause_s: float = 0.0,
) -> None:
    """Run a talk with a fresh responder and the backend below it."""

    async def main() -> None:
        answers, backend = counting_async(Bundle.open(folder), pause_s)
        async with answers:
            await talk(answers, backend)

    asyncio.run(main())


def with_pool(
    talk: Callable[[SessionPool, ScriptedAnswers, Clock], Awaitable[None]],
    max_queue: int = 256,
    **options: Any,
) -> None:
    """Run a talk with a pool, those who answer, and its clock."""
    answers, clock = ScriptedAnswers(max_queue=max_queue), Clock()
    store = MemoryStore(clock=clock)
    asyncio.run(talk(SessionPool(answers, store=store, **options), answers, clock))


async def say(pool: SessionPool, answers: ScriptedAnswers, key: str) -> None:
    """Say a key in its dialogue and see it answered."""
    task = asyncio.create_task(pool.say(key, key))
    await settle()
    answers.answer(key, "Oh.")
    await task


async def finished(answers: ScriptedAnswers, stream: AsyncGenerator[Chunk, None]) -> Chunk:
    """Return the last chunk of a stream that was begun, and answer it."""
    rest = asyncio.create_task(anext(stream))
    await settle()
    answers.answer(answers.asked[-1], "Oh.")
    last = await rest
    assert [chunk async for chunk in stream] == []
    return last


def test_each_key_is_a_dialogue_of_its_own(toy_folder: Path) -> None:
    said = ["I am happy.", "what a day", "we"]
    alone = Responder.load(toy_folder).session(SEARCH)
    wanted = [alone.say(text, emotion=Emotion.HAPPINESS).text for text in said]
    keys = ["a", 7, ("channel", 7), "7"]

    async def talk(answers: AsyncResponder, backend: CountingBackend) -> None:
        pool = answers.sessions(SEARCH)

        async def speak(key: object) -> list[str]:
            found = [(await pool.say(key, t, emotion=Emotion.HAPPINESS)).text for t in said[:2]]
            chunks = [c async for c in pool.stream(key, said[2], emotion=Emotion.HAPPINESS)]
            return [*found, "".join(chunk.text for chunk in chunks)]

        assert await asyncio.gather(*(speak(key) for key in keys)) == [wanted] * 4
        assert [await pool.turns(key) for key in keys] == [alone.turns] * 4
        assert await pool.count() == 4
        assert await pool.turns("nobody") == ()

    with_responder(toy_folder, talk)


def test_those_of_one_key_wait_and_those_of_different_keys_share_steps(toy_folder: Path) -> None:
    async def talk(answers: AsyncResponder, backend: CountingBackend) -> None:
        pool = answers.sessions(LONG)
        await asyncio.gather(*(pool.say(key, "I am happy.") for key in range(8)))
        assert backend.steps < 2 * 100
        one, other = await asyncio.gather(pool.say("a", "I am happy."), pool.say("a", "we"))
        said = ["I am happy.", one.text, "we", other.text]
        assert await pool.turns("a") == tuple(Turn(text) for text in said)
        assert backend.steps >= 3 * 100

    with_responder(toy_folder, talk, pause_s=0.002)


def test_what_fails_leaves_no_turn_and_no_dialogue(toy_folder: Path) -> None:
    async def talk(answers: AsyncResponder, backend: CountingBackend) -> None:
        pool = answers.sessions(LONG)
        with pytest.raises(InputError, match="without any word"):
            await pool.say("a", "")
        with pytest.raises(DeadlineError):
            await pool.say("a", "I am happy.", deadline_s=0.05)
        with pytest.raises(DeadlineError):
            _ = [chunk async for chunk in pool.stream("a", "I am happy.", deadline_s=0.05)]
        assert await pool.count() == 0
        await pool.say("a", "we")
        before = await pool.turns("a")
        with pytest.raises(InputError):
            await pool.say("a", "")
        assert await pool.turns("a") == before
        assert len(before) == 2

    with_responder(toy_folder, talk, pause_s=0.005)


def test_cancelling_frees_the_slot_and_the_place(toy_folder: Path) -> None:
    async def talk(answers: AsyncResponder, backend: CountingBackend) -> None:
        pool = answers.sessions(LONG, limit=1)
        task = asyncio.create_task(pool.say("a", "I am happy."))
        waiting = asyncio.create_task(pool.say("a", "we"))
        while backend.steps < 2:
            await asyncio.sleep(0.001)
        waiting.cancel()
        task.cancel()
        await asyncio.wait([task, waiting])
        assert task.cancelled()
        assert waiting.cancelled()
        stream = pool.stream("b", "I am happy.")
        await anext(stream)
        assert await pool.count() == 1
        await stream.aclose()
        assert await pool.count() == 0
        while not answers._executor.is_idle:
            await asyncio.sleep(0.001)
        assert backend.steps < 100

    with_responder(toy_folder, talk, pause_s=0.005)


def test_it_refuses_when_every_dialogue_has_a_reply_to_come() -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, clock: Clock) -> None:
        streams = [pool.stream(key, key) for key in ("a", "b")]
        for stream in streams:
            await anext(stream)
        with pytest.raises(QueueFullError, match=r"2 dialogues have a reply.*raise limit"):
            await pool.say("c", "c")
        with pytest.raises(QueueFullError, match="2 dialogues"):
            await anext(pool.stream("c", "c"))
        await finished(answers, streams[1])
        await say(pool, answers, "c")
        assert await pool.turns("b") == ()  # it was unused, "a" was not
        await finished(answers, streams[0])
        assert len(await pool.turns("a")) == len(await pool.turns("c")) == 2

    with_pool(talk, limit=2)


def test_the_dialogue_unused_longest_makes_room() -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, clock: Clock) -> None:
        for key in ("a", "b", "a", "c"):
            await say(pool, answers, key)
        assert [len(await pool.turns(key)) for key in ("a", "b", "c")] == [4, 0, 2]
        assert await pool.count() == 2

    with_pool(talk, limit=2)


def test_no_more_messages_wait_in_a_dialogue_than_at_the_responder() -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, clock: Clock) -> None:
        said = [asyncio.create_task(pool.say("a", text)) for text in "abc"]
        await settle()
        with pytest.raises(QueueFullError, match=r"2 messages wait in this.*max_queue"):
            await pool.say("a", "d")
        for task, text in zip(said, "abc", strict=True):
            answers.answer(text, "Oh.")
            await task
        assert len(await pool.turns("a")) == 6

    with_pool(talk, max_queue=2)


def test_a_dialogue_is_forgotten_after_its_time_and_not_in_the_middle() -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, clock: Clock) -> None:
        await say(pool, answers, "a")
        clock.now_s += 59
        assert len(await pool.turns("a")) == 2  # which is no use of it
        await say(pool, answers, "a")
        stream = pool.stream("a", "a")
        await anext(stream)
        clock.now_s += 1000
        assert len(await pool.turns("a")) == 4
        await finished(answers, stream)
        clock.now_s += 59
        assert len(await pool.turns("a")) == 6
        clock.now_s += 1
        assert await pool.count() == 0
        await say(pool, answers, "a")
        assert answers.read["a"] == ["a"]

    with_pool(talk, ttl_s=60)


def test_forgetting_includes_the_reply_that_is_still_to_come() -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, clock: Clock) -> None:
        for key in ("a", "b"):
            await say(pool, answers, key)
        await pool.forget("a")
        await pool.forget("nobody")
        assert await pool.count() == 1
        stream = pool.stream("b", "b")
        await anext(stream)
        waiting = asyncio.create_task(pool.say("b", "c"))
        await settle()
        await pool.forget("b")
        assert (await finished(answers, stream)).reply is not None
        await settle()
        answers.answer("c", "I see.")
        await waiting
        assert await pool.turns("b") == (Turn("c"), Turn("I see."))

    with_pool(talk)


def test_a_closed_responder_refuses(toy_folder: Path) -> None:
    async def main() -> None:
        async with AsyncResponder.load(toy_folder) as answers:
            pool = answers.sessions(SEARCH)
        with pytest.raises(InputError, match="closed"):
            await pool.say("a", "we")
        assert await pool.count() == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "limit is 0 .*1 or more"),
        ({"ttl_s": 0}, "ttl_s is 0 .*above 0"),
        ({"ttl_s": math.nan}, "ttl_s is nan"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SessionPool(ScriptedAnswers(), **options)


@pytest.mark.parametrize("key", [None, [], ("channel", [])])
def test_what_is_no_key_is_refused(key: object) -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, clock: Clock) -> None:
        with pytest.raises(InputError, match=r"key is None or not hashable.*give a string"):
            await pool.turns(key)
        with pytest.raises(InputError, match="key"):
            await pool.forget(key)
        with pytest.raises(InputError, match="key"):
            await pool.say(key, "we")

    with_pool(talk)
