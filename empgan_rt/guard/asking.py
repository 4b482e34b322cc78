"""A guard's verdict, or one that says no for a guard that fails.

A guard is a stranger's code, or calls a service that may be down. What it raises never lets a
message or a reply through, and never reaches the user, for it may hold words of the dialogue.
"""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Sequence

from ..dialogue.turns import Turn
from ..dialogue.verdict import Verdict
from ..errors import InputError
from .protocol import AsyncGuard, Guard

FAILED_TEXT = "I am sorry, I cannot answer that now."
FAILED = "guard_failed"  # the category

_log = logging.getLogger(__name__)


def check_guard(guard: object, *, may_wait: bool) -> None:
    """Do nothing if an object can be asked.

    Args:
        guard: anything.
        may_wait: whether its methods may be coroutines.

    Raises:
        InputError: it lacks a method of `Guard`, or has coroutines where nobody awaits them.
    """
    for name in ("check_input", "check_reply"):
        method = getattr(guard, name, None)
        if not callable(method) or isinstance(guard, type):
            raise InputError(
                f"a guard of type {type(guard).__name__}",
                hint=f"give an object with a method {name}, such as WordGuard()",
            )
        if not may_wait and inspect.iscoroutinefunction(method):
            raise InputError(
                f"a guard whose {name} is a coroutine, where nobody awaits it",
                hint="give it to an AsyncResponder, or give a guard without coroutines",
            )


def input_verdict(guard: Guard, turns: Sequence[Turn]) -> Verdict:
    """Return a guard's verdict on the newest message; a refusal if it fails."""
    try:
        return _sound(guard.check_input(turns))
    except Exception as error:
        return _failed(error)


def reply_verdict(guard: Guard, turns: Sequence[Turn], candidates: Sequence[str]) -> Verdict:
    """Return a guard's verdict on the model's replies; a refusal if it fails."""
    try:
        return _sound(guard.check_reply(turns, candidates), len(candidates))
    except Exception as error:
        return _failed(error)


async def awaited_input_verdict(guard: Guard | AsyncGuard, turns: Sequence[Turn]) -> Verdict:
    """Return as `input_verdict`, of a guard that may be asynchronous."""
    try:
        verdict = guard.check_input(turns)
        return _sound(await verdict if inspect.isawaitable(verdict) else verdict)
    except Exception as error:
        return _failed(error)


async def awaited_reply_verdict(
    guard: Guard | AsyncGuard, turns: Sequence[Turn], candidates: Sequence[str]
) -> Verdict:
    """Return as `reply_verdict`, of a guard that may be asynchronous."""
    try:
        verdict = guard.check_reply(turns, candidates)
        return _sound(await verdict if inspect.isawaitable(verdict) else verdict, len(candidates))
    except Exception as error:
        return _failed(error)


def _sound(verdict: object, candidates: int = 0) -> Verdict:
    """Return a verdict as it is.

    Raises:
        TypeError: it is none.
        ValueError: it lets through a candidate that there is not.
    """
    if inspect.iscoroutine(verdict):
        verdict.close()  # nobody will await it
    if not isinstance(verdict, Verdict):
        raise TypeError("no Verdict")
    if verdict.candidates is not None and not {*verdict.candidates} <= {*range(candidates)}:
        raise ValueError("no such candidate")
    return verdict


def _failed(error: Exception) -> Verdict:
    """Return the refusal in place of a guard's verdict, and log what it failed with."""
    kind = type(error).__name__
    frame = traceback.extract_tb(error.__traceback__)[-1]
    # The error's own text may hold what somebody said.
    _log.error("the guard failed, so its answer is no: %s in %s", kind, frame.name)
    return Verdict.block(
        FAILED_TEXT,
        category=FAILED,
        rule=kind,
        message="the guard raised, or gave no verdict; the log tells where",
    )
