"""What all bots say: a reply, or a sentence that says why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from empgan_rt import DeadlineError, QueueFullError, SessionPool, StorageError, Verdict
from support.replies import reply_saying
from support.source_tree import ROOT

MAX_LINES = 60
BOTS = ("discord_bot", "telegram_bot", "slack_bot")


@pytest.mark.parametrize("name", [*BOTS, "bot_answers"])
def test_examples_are_short(name: str) -> None:
    assert (ROOT / "examples" / f"{name}.py").read_text("utf-8").count("\n") <= MAX_LINES


def test_a_dialogue_is_remembered_until_it_is_reset(
    example: Callable[..., ModuleType], with_pool: Callable[..., None]
) -> None:
    answer = example("bot_answers", "empgan_rt").answer

    async def talk(pool: SessionPool) -> None:
        assert await answer(pool, "a", "I lost my keys today.")
        assert len(await pool.turns("a")) == 2
        assert await answer(pool, "a", "") == "I can read words only, and not too many at once."
        for command in ("/start", "/help"):
            assert "I am a program" in await answer(pool, "a", command)
        assert len(await pool.turns("a")) == 2
        assert await answer(pool, "a", " /reset ") == "I have forgotten what we said."
        assert await pool.count() == 0

    with_pool(talk)
    with_pool(talk)  # after a restart


class Pool:
    """Gives what it was made with."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome

    async def say(self, key: str, text: str, **options: Any) -> Any:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize("error", [QueueFullError("full"), DeadlineError("late")])
def test_too_much_work_is_told(example: Callable[..., ModuleType], error: Exception) -> None:
    answer = example("bot_answers", "empgan_rt").answer
    assert "say that again" in asyncio.run(answer(Pool(error), "a", "we"))


def test_faults_are_not_hidden(example: Callable[..., ModuleType]) -> None:
    answer = example("bot_answers", "empgan_rt").answer
    with pytest.raises(StorageError):
        asyncio.run(answer(Pool(StorageError("full")), "a", "we"))


def test_who_runs_the_bot_is_told_that_a_person_is_needed(
    example: Callable[..., ModuleType], caplog: pytest.LogCaptureFixture
) -> None:
    answer = example("bot_answers", "empgan_rt").answer
    reply = reply_saying("One moment.")
    object.__setattr__(reply, "verdict", Verdict.hand_over("One moment."))
    assert asyncio.run(answer(Pool(reply), "a", "we")) == "One moment."
    assert "a person is needed in a" in caplog.text
    assert asyncio.run(answer(Pool(reply_saying("")), "a", "we")) == "I do not know what to say."
