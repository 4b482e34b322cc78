"""Replies as coroutines: together, cancelled, refused, late, streamed and closed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from empgan_rt import (
    AsyncResponder,
    DeadlineError,
    InputError,
    QueueFullError,
    Reply,
    Responder,
    SearchConfig,
)
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.dialogue.turns import Dialogue
from empgan_rt.text.featurizer import DialogueFeatures, Featurizer
from support.counting_backend import CountingBackend, counting_async, same

LONG = SearchConfig(beam_size=1, min_length=100, max_length=100, no_repeat_ngram=0)
SHORT = SearchConfig(beam_size=2, max_length=8)


@asynccontextmanager
async def opened(
    folder: Path, pause_s: float = 0.0
) -> AsyncIterator[tuple[AsyncResponder, CountingBackend]]:
    answers, backend = counting_async(Bundle.open(folder), pause_s)
    async with answers:
        yield answers, backend


def test_many_at_once_are_answered_as_each_alone(toy_folder: Path) -> None:
    dialogues = [["I am happy."], ["the day", "we"], ["you are sad"], ["great"]] * 5

    async def main() -> list[Reply]:
        async with AsyncResponder.load(toy_folder, max_batch=6) as answers:
            return await asyncio.gather(*(answers.reply(d, SHORT) for d in dialogues))

    replies = asyncio.run(main())
    alone = Responder.load(toy_folder)
    assert all(same(r, alone.reply(d, SHORT)) for r, d in zip(replies, dialogues, strict=True))


def test_they_share_steps(toy_folder: Path) -> None:
    async def main() -> None:
        async with opened(toy_folder, pause_s=0.002) as (answers, backend):
            await asyncio.gather(*(answers.reply(["I am"], LONG) for _ in range(8)))
            assert backend.steps < 2 * 100

    asyncio.run(main())


def test_a_long_dialogue_is_read_off_the_event_loop(
    toy_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[bool] = []
    features = Featurizer.features

    def reading(self: Featurizer, dialogue: Dialogue) -> DialogueFeatures:
        readers.append(threading.current_thread() is threading.main_thread())
        return features(self, dialogue)

    monkeypatch.setattr(Featurizer, "features", reading)
    turn = "I am happy. " * 500

    async def main() -> None:
        async with opened(toy_folder) as (answers, _):
            short = await answers.reply([turn], SHORT)
            long = await answers.reply([turn, turn], SHORT)
            assert short.tokens_dropped
            assert long.tokens_dropped == 2 * short.tokens_dropped
            async for _ in answers.stream([turn, turn], SHORT):
                pass
            with pytest.raises(InputError, match="without any word"):
                await answers.reply([turn, turn, " "], SHORT)
            with pytest.raises(DeadlineError):
                await answers.reply([turn, turn], LONG, deadline_s=1e-9)

    asyncio.run(main())
    assert readers == [True, False, False, False, False]


def test_a_cancelled_coroutine_frees_its_slot(toy_folder: Path) -> None:
    async def main() -> None:
        async with opened(toy_folder, pause_s=0.005) as (answers, backend):
            task = asyncio.create_task(answers.reply(["I am"], LONG))
            while backend.steps < 2:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while not answers._executor.is_idle:
                await asyncio.sleep(0.001)
            assert backend.steps < 20
            assert (await answers.reply(["I am"], SHORT)).token_ids

    asyncio.run(main())


def test_a_full_queue_refuses(toy_folder: Path) -> None:
    async def main() -> None:
        async with AsyncResponder.load(toy_folder, max_batch=2, max_queue=1) as answers:
            asked = [answers.reply(["I am"], LONG) for _ in range(5)]
            found = await asyncio.gather(*asked, return_exceptions=True)
            refused = [error for error in found if isinstance(error, QueueFullError)]
            assert len(refused) == 2
            assert all("waiting already" in str(error) for error in refused)
            assert (await answers.reply(["I am"], SHORT)).token_ids

    asyncio.run(main())


def test_a_deadline_is_kept(toy_folder: Path) -> None:
    async def main() -> None:
        async with opened(toy_folder, pause_s=0.02) as (answers, backend):
            with pytest.raises(DeadlineError, match="time allowed"):
                await answers.reply(["I am"], LONG, deadline_s=0.1)
            assert backend.steps < 20
            with pytest.raises(InputError, match="deadline_s"):
                await answers.reply(["I am"], LONG, deadline_s=-1)

    asyncio.run(main())


def test_a_stream_is_the_reply_in_pieces_and_closing_it_cancels(toy_folder: Path) -> None:
    async def main() -> None:
        async with opened(toy_folder, pause_s=0.002) as (answers, backend):
            search = SearchConfig(beam_size=1, min_length=8, max_length=8)
            chunks = [chunk async for chunk in answers.stream(["I am happy."], search)]
            reply = await answers.reply(["I am happy."], search)
            assert chunks[-1].reply is not None
            assert same(chunks[-1].reply, reply)
            assert "".join(chunk.text for chunk in chunks) == reply.text
            assert sum(chunk.tokens for chunk in chunks) == len(reply.token_ids)
            assert len(chunks) > 1
            stream = answers.stream(["I am"], LONG)
            await anext(stream)
            await stream.aclose()
            before = backend.steps
            while not answers._executor.is_idle:
                await asyncio.sleep(0.001)
            assert backend.steps - before <= 3

    asyncio.run(main())


def test_closing_answers_what_was_accepted_and_refuses_the_rest(toy_folder: Path) -> None:
    async def main() -> None:
        answers, _ = counting_async(Bundle.open(toy_folder), 0.002)
        task = asyncio.create_task(answers.reply(["I am"], LONG))
        await asyncio.sleep(0.01)
        assert not answers.is_closed
        await answers.aclose()
        assert answers.is_closed
        assert len((await task).token_ids) == 100
        with pytest.raises(InputError, match="closed"):
            await answers.reply(["I am"], SHORT)

    asyncio.run(main())


def test_two_event_loops_share_it(toy_folder: Path) -> None:
    answers = AsyncResponder.load(toy_folder)
    replies: list[Reply] = []

    def ask() -> None:
        replies.append(asyncio.run(answers.reply(["I am happy."], SHORT)))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same(replies[0], replies[1])
    asyncio.run(answers.aclose())


@pytest.mark.parametrize("_", range(3))
def test_what_meets_a_closing_is_answered_or_refused(toy_folder: Path, _: int) -> None:
    """Two event loops ask as fast as they can while a third one closes."""
    answers = AsyncResponder.load(toy_folder, max_queue=1000)
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: asyncio.run(_ask(answers, found, 100)), daemon=True)
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    while not found:
        time.sleep(0.001)
    asyncio.run(answers.aclose())
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a request that was accepted is lost"
    assert len(found) == 200
    assert all(isinstance(one, Reply | InputError) for one in found)


async def _ask(answers: AsyncResponder, found: list[object], times: int) -> None:
    for _ in range(times):
        found += await asyncio.gather(answers.reply(["I am"], SHORT), return_exceptions=True)


def test_a_thread_that_shares_the_model_leaves_nobody_behind(toy_folder: Path) -> None:
    async def main() -> None:
        async with opened(toy_folder, pause_s=0.001) as (answers, _):
            waiting = [asyncio.create_task(answers.reply(["I am"], LONG)) for _ in range(3)]
            for _ in range(5):
                reply = await asyncio.to_thread(
                    lambda: asyncio.run(answers.reply(["the day"], SHORT))
                )
                assert reply.token_ids
            replies = await asyncio.wait_for(asyncio.gather(*waiting), 60)
            assert all(same(reply, replies[0]) for reply in replies)

    asyncio.run(main())


def test_settings_out_of_range_are_refused(toy_folder: Path) -> None:
    with pytest.raises(InputError, match="max_queue is -1"):
        AsyncResponder.load(toy_folder, max_queue=-1)
    with pytest.raises(InputError, match="max_running is 0"):
        AsyncResponder.load(toy_folder, max_batch=0)
    with pytest.raises(InputError, match="without any word"):
        asyncio.run(_ask_nothing(toy_folder))


async def _ask_nothing(folder: Path) -> None:
    async with AsyncResponder.load(folder) as answers:
        await answers.reply([""])
