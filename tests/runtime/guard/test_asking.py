"""Whatever a guard does, there is a verdict, and it says no if the guard failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from empgan_rt import InputError, Turn, Verdict
from empgan_rt.guard.asking import (
    FAILED_TEXT,
    awaited_input_verdict,
    awaited_reply_verdict,
    check_guard,
    input_verdict,
    reply_verdict,
)
from support.guards import ALLOW, ScriptedGuard, SlowGuard

SECRET = "what nobody may read"
TURNS = [Turn(SECRET)]


class Gives:
    """Answers whatever it is given, or raises it."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def check_input(self, turns: Sequence[Turn]) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def check_reply(self, turns: Sequence[Turn], candidates: Sequence[str]) -> Any:
        return self.check_input(turns)


def all_verdicts(guard: Any) -> list[Verdict]:
    """What all four ways of asking give."""
    return [
        input_verdict(guard, TURNS),
        reply_verdict(guard, TURNS, ["Yes.", "No."]),
        asyncio.run(awaited_input_verdict(guard, TURNS)),
        asyncio.run(awaited_reply_verdict(guard, TURNS, ["Yes.", "No."])),
    ]


@pytest.mark.parametrize(
    "answer", [RuntimeError(SECRET), TimeoutError(SECRET), KeyError(), None, True, "allow", 3]
)
def test_a_guard_that_fails_says_no(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    for verdict in all_verdicts(Gives(answer)):
        assert (verdict.action, verdict.text) == ("block", FAILED_TEXT)
        assert verdict.category == "guard_failed"
        assert SECRET not in f"{verdict}"
    assert len(caplog.records) == 4
    assert all(record.levelno == logging.ERROR for record in caplog.records)
    assert SECRET not in caplog.text


def test_a_coroutine_that_nobody_awaits_says_no() -> None:
    guard: Any = SlowGuard(ScriptedGuard())
    assert input_verdict(guard, TURNS).action == "block"
    assert reply_verdict(guard, TURNS, ["Yes."]).action == "block"
    assert asyncio.run(awaited_input_verdict(guard, TURNS)) == ALLOW


@pytest.mark.parametrize("places", [(2,), (-1,), (0, 1, 7)])
def test_a_candidate_that_there_is_not_says_no(places: tuple[int, ...]) -> None:
    verdicts = all_verdicts(Gives(Verdict(candidates=places)))
    assert {verdict.action for verdict in verdicts} == {"block"}


def test_what_a_sound_guard_says_is_left_alone() -> None:
    said = Verdict.hand_over("One moment.", category="a", rule="b", message="c")
    assert all_verdicts(Gives(said)) == [said] * 4


@pytest.mark.parametrize("guard", [object(), ScriptedGuard, "words", Gives(ALLOW).check_input])
def test_what_is_no_guard_is_refused(guard: Any) -> None:
    with pytest.raises(InputError, match="a guard of type"):
        check_guard(guard, may_wait=True)


def test_coroutines_are_refused_where_nobody_awaits_them() -> None:
    guard = SlowGuard(ScriptedGuard())
    check_guard(guard, may_wait=True)
    with pytest.raises(InputError, match="check_input is a coroutine") as caught:
        check_guard(guard, may_wait=False)
    assert "AsyncResponder" in caught.value.hint


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "deny", "text": "No."},
        {"action": "replace"},
        {"action": "block", "text": "  "},
        {"action": "allow", "text": "Yes."},
        {"action": "hand_over", "text": "Wait.", "candidates": (0,)},
        {"candidates": ()},
    ],
)
def test_a_verdict_is_one_thing(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Verdict(**fields)
