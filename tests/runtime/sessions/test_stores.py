"""What a pool may rely on in every store."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from empgan_rt import InputError, SessionPool, SessionStore, StoredDialogue, Turn
from support.scripted_answers import ScriptedAnswers, settle
from support.stores import Clock, opened, talk

NOBODY: frozenset[str] = frozenset()
ONE = talk("I lost my keys.", "Where?")
TEXTS = ["", " ", "a\0b", "\U0001f600 ÄÖ \u202e", 'quo"te \\ \n', "x" * 10_000]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[SessionStore]:
    with ExitStack() as stack:
        yield stack.enter_context(opened(request.param, tmp_path, clock))


def kept(dialogue: StoredDialogue | None) -> tuple[object, ...] | None:
    """Return what must come back of a dialogue."""
    if dialogue is None:
        return None
    return dialogue.turns, dialogue.turns_dropped, dialogue.bundle_id


def run(work: Awaitable[None]) -> None:
    async def main() -> None:
        await work

    asyncio.run(main())


async def put(store: SessionStore, *keys: str) -> None:
    for key in keys:
        await store.put(key, talk(key))


async def names(store: SessionStore, keys: str, ttl_s: float = math.inf) -> str:
    """Return those keys, of one letter each, under which something is kept."""
    return "".join([key for key in keys if await store.get(key, ttl_s) is not None])


def test_what_is_put_is_got_and_replaced_and_deleted(store: SessionStore, clock: Clock) -> None:
    async def work() -> None:
        assert await store.get("a", math.inf) is None
        assert not await store.delete("a")
        await store.put("a", ONE)
        await store.put("b", talk("No."))
        found = await store.get("a", math.inf)
        assert kept(found) == kept(ONE)
        assert found is not None
        assert abs(found.used_at - clock.now_s) < 1
        await store.put("a", talk("Again.", dropped=3))
        assert kept(await store.get("a", math.inf)) == ((Turn("Again."),), 3, "some model")
        assert await store.delete("a")
        assert await names(store, "ab") == "b"
        await store.touch("a")
        assert await names(store, "ab") == "b"

    run(work())


@pytest.mark.parametrize("text", TEXTS)
def test_texts_keys_and_emotions_come_back_as_they_were(store: SessionStore, text: str) -> None:
    dialogue = StoredDialogue((Turn(text, "sadness"), Turn(text)), 2**40, text.replace("\0", ""))
    key = text.replace("\0", "")

    async def work() -> None:
        await store.put(key, dialogue)
        assert kept(await store.get(key, 1.0)) == kept(dialogue)
        assert await store.tidy(1.0, 1, frozenset([key])) == 0
        assert await store.tidy(1.0, 1, NOBODY) == 1
        assert await store.delete(key)

    run(work())


def test_what_is_unused_for_its_time_is_not_got_and_goes(store: SessionStore, clock: Clock) -> None:
    async def work() -> None:
        await put(store, "a", "b", "c")
        clock.now_s += 59
        await store.touch("b")
        assert await names(store, "abc", 60) == "abc"
        clock.now_s += 1
        assert await names(store, "abc", 60) == "b"
        assert await names(store, "abc") == "abc"
        assert await store.tidy(60, 9, frozenset("c")) == 1
        assert await names(store, "abc") == "bc"
        assert await store.tidy(math.inf, 9, NOBODY) == 2

    run(work())


def test_what_is_unused_longest_makes_room(store: SessionStore) -> None:
    async def work() -> None:
        await put(store, "a", "b", "c", "d", "a")
        await store.touch("b")
        assert await store.tidy(math.inf, 4, NOBODY) == 4
        assert await store.tidy(math.inf, 4, frozenset("c")) == 3
        assert await store.tidy(math.inf, 4, frozenset("ce")) == 2
        assert await names(store, "abcde") == "abc"
        assert await store.tidy(math.inf, 4, frozenset("cefg")) == 0
        assert await names(store, "abcde") == "c"

    run(work())


def test_what_is_out_of_time_is_not_counted_twice(store: SessionStore, clock: Clock) -> None:
    async def work() -> None:
        await put(store, "a", "b")
        clock.now_s += 60
        await put(store, "c", "d")
        assert await store.tidy(60, 3, NOBODY) == 2
        assert await names(store, "abcd") == "cd"

    run(work())


def test_what_is_called_first_takes_effect_first(store: SessionStore) -> None:
    async def work() -> None:
        calls: list[Awaitable[object]] = []
        for number in range(50):
            calls += [store.put("a", talk(str(number))), store.get("a", 9.0)]
            if number % 7 == 0:
                calls += [store.delete("a"), store.get("a", 9.0)]
        found = await asyncio.gather(*calls)
        read = [kept(f)[0][0].text if isinstance(f, StoredDialogue) else f for f in found]  # type: ignore[index]
        wanted: list[object] = []
        for number in range(50):
            wanted += [None, str(number)] + ([True, None] if number % 7 == 0 else [])
        assert read == wanted

    run(work())


def test_event_loops_of_several_threads_share_a_store(store: SessionStore) -> None:
    async def main() -> None:
        def other(number: int) -> None:
            run(put(store, *(f"{number}/{i}" for i in range(20))))

        await asyncio.gather(*(asyncio.to_thread(other, number) for number in range(4)))
        assert await store.tidy(9, 1000, NOBODY) == 80

    asyncio.run(main())


def test_thousands_of_dialogues(store: SessionStore) -> None:
    async def work() -> None:
        await asyncio.gather(*(put(store, str(number)) for number in range(3000)))
        spared = frozenset(str(number) for number in range(500, 1500))
        assert await store.tidy(99, 3000, spared) == 2000
        assert await store.tidy(99, 2000, spared) == 1000
        assert await store.get("499", 99) is None
        assert await store.get("1500", 99) is None
        assert await store.get("500", 99) is not None
        assert await store.get("2999", 99) is not None

    run(work())


@pytest.mark.parametrize("key", [None, [], ("channel", [])])
def test_what_is_no_key_is_refused(store: SessionStore, key: object) -> None:
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: store.get(key, 1.0),  # type: ignore[arg-type]
        lambda: store.touch(key),  # type: ignore[arg-type]
        lambda: store.put(key, ONE),  # type: ignore[arg-type]
        lambda: store.delete(key),  # type: ignore[arg-type]
    ]
    with pytest.raises(InputError, match="key"):
        store.check_key(key)  # type: ignore[arg-type]

    async def work() -> None:
        for call in calls:
            with pytest.raises(InputError, match=r"key.*give a string"):
                await call()

    run(work())


def test_a_pool_goes_on_where_another_one_ended(store: SessionStore) -> None:
    async def say(pool: SessionPool, answers: ScriptedAnswers, text: str) -> int:
        task = asyncio.create_task(pool.say("a", text))
        await settle(store)
        answers.answer(text, "Oh.")
        return (await task).turns_dropped

    async def work() -> None:
        answers = ScriptedAnswers(max_turns=4)
        pool = SessionPool(answers, store=store)
        assert [await say(pool, answers, text) for text in "abc"] == [0, 0, 1]
        other = ScriptedAnswers(max_turns=3)  # of another model
        pool = SessionPool(other, store=store)
        assert [turn.text for turn in await pool.turns("a")] == ["Oh.", "c", "Oh."]
        assert await say(pool, other, "d") == 4
        assert other.read["d"] == ["c", "Oh.", "d"]
        assert [turn.text for turn in await pool.turns("a")] == ["Oh.", "d", "Oh."]
        found = await store.get("a", 9)
        assert found is not None
        assert (found.turns_dropped, found.bundle_id) == (5, "none")

    run(work())
