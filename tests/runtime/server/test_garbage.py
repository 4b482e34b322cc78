"""What a request leaves is freed when it ends: nothing of it waits for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from empgan_rt import AsyncResponder, InputError, SearchConfig
from empgan_rt.server import app
from support.asgi_calls import call, parts

COUNT = 10
SAID = "I lost my keys today."
MESSAGES = [{"role": "user", "content": SAID}]
SHORT = {"temperature": 0, "max_tokens": 3, "max_output_tokens": 3}
NO_TIME = {"x-request-timeout": "0.000001"}
CASES: dict[str, tuple[str, Any, dict[str, str], int]] = {
    "chat": ("/v1/chat/completions", {"messages": MESSAGES, **SHORT}, {}, 200),
    "stream": ("/v1/chat/completions", {"messages": MESSAGES, **SHORT, "stream": True}, {}, 200),
    "response": ("/v1/responses", {"input": SAID, **SHORT, "stream": True}, {}, 200),
    "reply": ("/v1/reply", {"turns": [SAID]}, {}, 200),
    "session": ("/v1/sessions/anna", {"text": SAID}, {}, 200),
    "another type": ("/v1/chat/completions", {"messages": SAID}, {}, 400),
    "not supported": ("/v1/chat/completions", {"messages": MESSAGES, "tools": [1]}, {}, 400),
    "no such model": ("/v1/reply", {"turns": [SAID], "model": "none"}, {}, 404),
    "no such path": ("/v1/nothing", {}, {}, 404),
    "late": ("/v1/reply", {"turns": [SAID]}, NO_TIME, 504),
}


@contextmanager
def without_collector() -> Iterator[list[int]]:
    """Gives, behind the block, how many objects only the collector would free."""
    found: list[int] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        found.append(gc.collect())
    finally:
        gc.enable()


@pytest.mark.parametrize("case", CASES)
def test_a_request_leaves_no_garbage(responder: AsyncResponder, case: str) -> None:
    path, body, headers, status = CASES[case]
    made, sent = app(responder), json.dumps(body).encode()

    async def ask() -> None:
        answered = await call(made, path, parts(sent), headers=headers)
        assert answered.status == status

    async def ask_often() -> int:
        await ask()  # what is made once stays
        with without_collector() as found:
            for _ in range(COUNT):
                await ask()
        return found[0]

    assert asyncio.run(ask_often()) < COUNT


def test_a_reply_in_process_leaves_no_garbage(responder: AsyncResponder) -> None:
    async def ask_often() -> int:
        await responder.reply([SAID])
        with without_collector() as found:
            for _ in range(COUNT):
                await responder.reply([SAID])
                async for _ in responder.stream([SAID]):
                    pass
                with pytest.raises(InputError):
                    await responder.reply([], SearchConfig())
        return found[0]

    assert asyncio.run(ask_often()) < COUNT
