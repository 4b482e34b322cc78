"""A reply is given when its turns are stored, and what is not given is not stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from empgan_rt import SessionPool, SessionStore, StorageError
from support.scripted_answers import ScriptedAnswers, settle
from support.stores import Clock, GatedStore, opened

Talk = Callable[[SessionPool, ScriptedAnswers, GatedStore], Awaitable[None]]


@pytest.fixture(params=["memory", "sqlite"])
def with_pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[Talk], None]]:
    """Runs a talk with a pool over a store whose `put` waits for the test."""
    with opened(request.param, tmp_path, Clock()) as inner:

        def call(talk: Talk) -> None:
            async def main() -> None:
                answers, store = ScriptedAnswers(), GatedStore(inner)
                await talk(SessionPool(answers, store=store), answers, store)

            asyncio.run(main())

        yield call


async def stored(store: SessionStore, key: str = "a") -> list[str]:
    found = await store.get(key, 99.0)
    return [] if found is None else [turn.text for turn in found.turns]


async def ask(
    pool: SessionPool, answers: ScriptedAnswers, store: SessionStore, text: str
) -> asyncio.Task[object]:
    """Return a message that the model has answered."""
    task = asyncio.create_task(pool.say("a", text))
    await settle(store)
    answers.answer(text, "Oh.")
    await settle(store)
    return task


@pytest.mark.parametrize("streamed", [False, True])
def test_a_reply_is_given_when_its_turns_are_stored(
    with_pool: Callable[[Talk], None], streamed: bool
) -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, store: GatedStore) -> None:
        given: list[str] = []

        async def message() -> None:
            if streamed:
                given.extend([chunk.text async for chunk in pool.stream("a", "we")])
            else:
                given.append((await pool.say("a", "we")).text)

        store.gate.clear()
        task = asyncio.create_task(message())
        await settle(store)
        answers.answer("we", "Oh.")
        await settle(store)
        assert (store.puts, "Oh." in given, await pool.turns("a")) == (1, False, ())
        assert await stored(store) == ["we", "Oh."]
        store.gate.set()
        await task
        assert "".join(given) == "Oh."
        assert [turn.text for turn in await pool.turns("a")] == ["we", "Oh."]

    with_pool(talk)


@pytest.mark.parametrize("before", [[], ["we", "Oh."]])
def test_what_is_cancelled_while_it_is_stored_is_taken_back(
    with_pool: Callable[[Talk], None], before: list[str]
) -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, store: GatedStore) -> None:
        if before:
            await (await ask(pool, answers, store, "we"))
        store.gate.clear()
        task = await ask(pool, answers, store, "the day")
        waiting = asyncio.create_task(pool.say("a", "and"))
        assert await stored(store) == [*before, "the day", "Oh."]
        task.cancel()
        await settle(store)
        store.gate.set()
        await settle(store)
        assert task.cancelled()
        assert await stored(store) == before
        answers.answer("and", "Oh.")
        await waiting
        assert answers.read["and"] == [*before, "and"]
        assert await stored(store) == [*before, "and", "Oh."]

    with_pool(talk)


def test_what_is_cancelled_in_the_thread_of_a_file_is_taken_back(tmp_path: Path) -> None:
    """At whatever moment: the thread may have begun the call, ended it, or not looked at it yet."""

    async def main(store: SessionStore) -> None:
        answers = ScriptedAnswers()
        pool = SessionPool(answers, store=store)
        for number in range(60):
            text = str(number)
            task = asyncio.create_task(pool.say("a", text))
            await settle(store)
            answers.answer(text, "Oh.")
            for _ in range(number % 6):
                await asyncio.sleep(0.00002 * number if number % 2 else 0)
            task.cancel()
            await asyncio.wait([task])
            kept = await stored(store)
            assert kept == [turn.text for turn in await pool.turns("a")]
            assert (text in kept) == (not task.cancelled())

    with opened("sqlite", tmp_path, Clock()) as store:
        asyncio.run(main(store))


def test_what_cannot_be_stored_is_not_given_and_not_remembered(
    with_pool: Callable[[Talk], None],
) -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, store: GatedStore) -> None:
        await (await ask(pool, answers, store, "we"))
        store.error = StorageError("full")
        task = await ask(pool, answers, store, "the day")
        assert isinstance(task.exception(), StorageError)
        assert [turn.text for turn in await pool.turns("a")] == ["we", "Oh."]
        await (await ask(pool, answers, store, "and"))
        assert answers.read["and"] == ["we", "Oh.", "and"]

    with_pool(talk)


def test_what_is_forgotten_while_it_is_stored_stays_forgotten(
    with_pool: Callable[[Talk], None],
) -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, store: GatedStore) -> None:
        await (await ask(pool, answers, store, "we"))
        for cancelled in (False, True):
            store.gate.clear()
            task = await ask(pool, answers, store, "the day")
            if cancelled:
                task.cancel()
            forgetting = asyncio.create_task(pool.forget("a"))
            await settle(store)
            store.gate.set()
            await forgetting
            await asyncio.wait([task])
            assert task.cancelled() == cancelled
            assert await stored(store) == []
            assert await pool.turns("a") == ()
            assert await pool.count() == 0

    with_pool(talk)


def test_what_is_forgotten_while_it_is_read_stays_forgotten(tmp_path: Path) -> None:
    async def main(store: SessionStore) -> None:
        answers = ScriptedAnswers()
        pool = SessionPool(answers, store=store)
        await (await ask(pool, answers, store, "we"))
        for pauses in range(12):
            text = str(pauses)
            task = asyncio.create_task(pool.say("a", text))
            for _ in range(pauses):
                await asyncio.sleep(0)
            await pool.forget("a")
            await settle(store)
            answers.answer(text, "Oh.")
            await task
            assert await stored(store) == [turn.text for turn in await pool.turns("a")]
            assert await stored(store) in ([], [text, "Oh."])

    with opened("sqlite", tmp_path, Clock()) as store:
        asyncio.run(main(store))


@pytest.mark.parametrize("moment", ["put", "read"])
def test_what_was_forgotten_does_not_come_back_with_what_is_cancelled_next(
    with_pool: Callable[[Talk], None], moment: str
) -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, store: GatedStore) -> None:
        await (await ask(pool, answers, store, "we"))
        gate = store.gate if moment == "put" else store.read_gate
        gate.clear()
        task = asyncio.create_task(pool.say("a", "the day"))
        waiting = asyncio.create_task(pool.say("a", "and"))
        for _ in range(2):
            await asyncio.sleep(0.01)
            if "the day" in answers.asked:
                answers.answer("the day", "Oh.")
        forgetting = asyncio.create_task(pool.forget("a"))
        await asyncio.sleep(0.01)
        gate.set()
        await forgetting
        for _ in range(2):
            await settle(store)
            if "the day" in answers.asked:
                answers.answer("the day", "Oh.")
        await task
        store.gate.clear()
        answers.answer("and", "Oh.")
        await settle(store)
        assert await stored(store) == ["and", "Oh."]
        waiting.cancel()
        await settle(store)
        store.gate.set()
        await asyncio.wait([waiting])
        assert await stored(store) == []

    with_pool(talk)


def test_a_message_that_fails_counts_as_use(with_pool: Callable[[Talk], None]) -> None:
    async def talk(pool: SessionPool, answers: ScriptedAnswers, store: GatedStore) -> None:
        await (await ask(pool, answers, store, "we"))
        first = await store.get("a", 99.0)
        task = asyncio.create_task(pool.say("a", "the day"))
        await settle(store)
        answers.fail("the day", StorageError("of another kind"))
        await asyncio.wait([task])
        second = await store.get("a", 99.0)
        assert first is not None
        assert second is not None
        assert (first.turns, first.used_at < second.used_at) == (second.turns, True)

    with_pool(talk)


def test_what_is_out_of_time_is_not_revived_by_a_message_that_fails(tmp_path: Path) -> None:
    clock = Clock()

    async def main(store: SessionStore) -> None:
        answers = ScriptedAnswers()
        pool = SessionPool(answers, store=store, ttl_s=60)
        await (await ask(pool, answers, store, "we"))
        clock.now_s += 60
        task = asyncio.create_task(pool.say("a", "the day"))
        await settle(store)
        assert answers.read["the day"] == ["the day"]
        assert await pool.turns("a") == ()
        task.cancel()
        await asyncio.wait([task])
        assert await pool.turns("a") == ()
        assert await pool.count() == 0

    with opened("sqlite", tmp_path, clock) as store:
        asyncio.run(main(store))
