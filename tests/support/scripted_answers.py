"""An AsyncResponder whose replies come when a test gives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from empgan_rt import Chunk, Limits, Reply, SessionStore, Turn, Verdict
from support.replies import reply_saying


async def settle(store: SessionStore | None = None) -> None:
    """Let every coroutine go on as far as it can; some wait for a store."""
    for _ in range(12):
        await asyncio.sleep(0)
        if store is not None:
            await store.get("nobody", 1.0)  # after all that was called before


class ScriptedAnswers:
    """Keeps what it is asked, by the text of the newest turn, until it is answered or cancelled.

    Attributes:
        read: text -> the turns that were read with it.
    """

    def __init__(self, max_turns: int = 50, max_queue: int = 256) -> None:
        self.limits = Limits(max_turns=max_turns)
        self.max_turns, self.max_queue = max_turns, max_queue
        self.read: dict[str, list[str]] = {}
        self._open: dict[str, asyncio.Future[str | None]] = {}

    @property
    def asked(self) -> list[str]:
        return [*self._open]

    def answer(self, text: str, answer: str) -> None:
        self._open[text].set_result(answer)

    def block(self, text: str) -> None:
        self._open[text].set_result(None)

    def fail(self, text: str, error: Exception) -> None:
        self._open[text].set_exception(error)

    async def reply(
        self,
        turns: list[Turn],
        search: Any = None,
        *,
        guard: Any = None,
        deadline_s: float | None = None,
    ) -> Reply:
        *_, text = texts = [turn.text for turn in turns]
        self.read[text] = texts[-self.max_turns :]
        self._open[text] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._open[text]
        finally:
            del self._open[text]
        reply = reply_saying(answer or "", turns_dropped=max(0, len(texts) - self.max_turns))
        return reply if answer is not None else replace(reply, verdict=Verdict.block("No."))

    async def stream(
        self,
        turns: list[Turn],
        search: Any = None,
        *,
        guard: Any = None,
        deadline_s: float | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        yield Chunk("")
        reply = await self.reply(turns, search)
        yield Chunk(reply.text, reply)
