"""Guards that say what a test wants, and remember what they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from empgan_rt import Emotion, Turn, Verdict

ALLOW = Verdict()
OnInput = Callable[[str], Verdict]  # of the newest turn's text
OnReply = Callable[[Sequence[str]], Verdict]  # of the candidates


class ScriptedGuard:
    """Answers by two functions; None lets through."""

    def __init__(self, on_input: OnInput | None = None, on_reply: OnReply | None = None) -> None:
        self._on_input, self._on_reply = on_input, on_reply
        self.read: list[list[str]] = []  # turns of each message
        self.candidates: list[list[str]] = []
        self.heard: list[list[Emotion | None]] = []  # emotions of the turns behind each reply

    def check_input(self, turns: Sequence[Turn]) -> Verdict:
        self.read.append([turn.text for turn in turns])
        return ALLOW if self._on_input is None else self._on_input(turns[-1].text)

    def check_reply(self, turns: Sequence[Turn], candidates: Sequence[str]) -> Verdict:
        self.candidates.append([*candidates])
        self.heard.append([turn.emotion for turn in turns])
        return ALLOW if self._on_reply is None else self._on_reply(candidates)


class SlowGuard:
    """The same as coroutines, each of which takes `pause_s`."""

    def __init__(self, inner: ScriptedGuard, pause_s: float = 0.0) -> None:
        self.inner, self.pause_s = inner, pause_s

    async def check_input(self, turns: Sequence[Turn]) -> Verdict:
        await asyncio.sleep(self.pause_s)
        return self.inner.check_input(turns)

    async def check_reply(self, turns: Sequence[Turn], candidates: Sequence[str]) -> Verdict:
        await asyncio.sleep(self.pause_s)
        return self.inner.check_reply(turns, candidates)


def stops(word: str, action: str = "replace") -> OnInput:
    """Return what stops messages that hold a word."""

    def on_input(text: str) -> Verdict:
        if word not in text:
            return ALLOW
        made = {"replace": Verdict.replace, "block": Verdict.block, "hand_over": Verdict.hand_over}
        return made[action]("Please stop.", category="test", rule=word)

    return on_input


def without_first(candidates: Sequence[str]) -> Verdict:
    """Return the verdict that strikes what the model would have said."""
    return Verdict(rule="not the first", candidates=tuple(range(1, len(candidates))))
