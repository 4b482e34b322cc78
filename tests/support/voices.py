"""A reading without a model: contexts, a speaker that follows a script, a reader with a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from empgan_rt.config import SearchConfig
from empgan_rt.dialogue.reply import Reply
from empgan_training.voice.candidates import Answers, answer
from empgan_training.voice.contexts import Context
from support.human_sheets import read_csv, write_csv
from support.replies import reply_saying

MARKS = ("content", "empathy", "harmful", "generic")
CONTEXTS = [
    Context("ring", "joy", "happiness", ("i said yes!!",)),
    Context("cup", "joy", "happiness", ("we won", "Who won?", "=our under 11s, “the lions”")),
    Context("dog", "grief", "sadness", ("had to put my dog down",)),
    Context("bridge", "crisis", "sadness", ("standing on the bridge",)),
]

Reader = Callable[[str], tuple[str, str, str, str]]  # reply -> its marks


class ScriptedSpeaker:
    """Says what a rule makes of the newest turn."""

    def __init__(self, rule: Callable[[str], str], bundle: str) -> None:
        self.rule, self.bundle = rule, bundle

    def reply_batch(
        self, dialogues: Sequence[Sequence[str]], search: SearchConfig
    ) -> Sequence[Reply]:
        said = [reply_saying(self.rule(turns[-1])) for turns in dialogues]
        return [replace(reply, bundle_id=self.bundle) for reply in said]


def answers(rule: Callable[[str], str], bundle: str = "f00d", **search: float) -> Answers:
    """Return what a rule says to the `CONTEXTS`."""
    return answer(ScriptedSpeaker(rule, bundle), SearchConfig(**search), CONTEXTS)  # type: ignore[arg-type]


def rate(sheet: Path, reader: Reader) -> None:
    """Let a reader fill in a sheet, seeing the replies alone."""
    rows = read_csv(sheet)
    for row in rows:
        row.update(zip(MARKS, reader(row["reply"]), strict=True))
    write_csv(sheet, rows)
