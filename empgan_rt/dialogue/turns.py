"""What goes in: emotions, turns and dialogues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from ..errors import InputError

EmotionName = Literal["neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise"]


class Emotion(IntEnum):
    """The seven labels of DailyDialog; the value is the id the model sees (0 pads a batch).

    DailyDialog itself counts from 0, one less: see `from_dailydialog`.
    """

    NEUTRAL = 1
    ANGER = 2
    DISGUST = 3
    FEAR = 4
    HAPPINESS = 5
    SADNESS = 6
    SURPRISE = 7

    @classmethod
    def from_dailydialog(cls, label: int) -> Emotion:
        """Return the emotion that DailyDialog's files call `label`, 0 (no emotion) to 6.

        Raises:
            InputError: it is no such integer.
        """
        if type(label) is not int or not 0 <= label < len(cls):
            raise InputError(
                f"no label of DailyDialog, but another {type(label).__name__}",
                hint="give an integer from 0 (no emotion) to 6 (surprise)",
            )
        return cls(label + 1)

    @property
    def dailydialog(self) -> int:
        """The integer that DailyDialog's files have for it, 0 to 6."""
        return self.value - 1

    @classmethod
    def parse(cls, name: str) -> Emotion:
        """Return the emotion called `name`, in any case.

        Raises:
            InputError: no emotion has that name; the message lists all seven.
        """
        try:
            return cls[name.strip().upper()]
        except KeyError:
            names = ", ".join(e.name.lower() for e in cls)
            raise InputError(f"unknown emotion {name[:40]!r}", hint=f"use one of {names}") from None


@dataclass(frozen=True)
class Turn:
    """One utterance, with the emotion its speaker is known to have, if it is known.

    The emotion may be given by its name, such as "sadness"; what is kept is the `Emotion`.

    Raises:
        InputError: the text is none, or no emotion has that name.
    """

    text: str
    emotion: Emotion | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise InputError(f"a turn with a text of type {type(self.text).__name__}")
        name = self.emotion.strip().upper() if isinstance(self.emotion, str) else ""
        if name in Emotion.__members__:
            object.__setattr__(self, "emotion", Emotion[name])
        if self.emotion is not None and not isinstance(self.emotion, Emotion):
            names = ", ".join(f"Emotion.{emotion.name}" for emotion in Emotion)
            raise InputError(
                f"a turn with the emotion {str(self.emotion)[:40]!r}",
                hint=f"give one of {names}, or its name",
            )


@dataclass(frozen=True)
class Dialogue:
    """The turns so far, oldest first; the model writes the next one."""

    turns: tuple[Turn, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.turns, tuple | list):
            raise InputError(f"turns of type {type(self.turns).__name__}", hint="use Dialogue.of")
        strange = [type(turn).__name__ for turn in self.turns if not isinstance(turn, Turn)]
        if strange:
            raise InputError(
                f"a turn of type {strange[0]}", hint="use Dialogue.of, or give empgan_rt.Turn"
            )
        if not self.turns:
            raise InputError("a dialogue without turns", hint="give at least one turn")

    @classmethod
    def of(cls, turns: Turns) -> Dialogue:
        """Return a dialogue from plain strings, turns or a mixture of both.

        Raises:
            InputError: there is no turn, or one is neither a string nor a Turn.
        """
        if isinstance(turns, Dialogue):
            return turns
        if isinstance(turns, str):
            raise InputError("a dialogue given as one string", hint="give a list of turns")
        if not isinstance(turns, Iterable) or isinstance(turns, Mapping | Set | bytes):
            raise InputError(
                f"a dialogue of type {type(turns).__name__}",
                hint="give a list of turns, oldest first",
            )
        made: list[Turn] = []
        for turn in turns:
            if isinstance(turn, str):
                turn = Turn(turn)
            if not isinstance(turn, Turn):
                raise InputError(
                    f"a turn of type {type(turn).__name__}", hint="give strings or empgan_rt.Turn"
                )
            made.append(turn)
        return cls(tuple(made))


Turns = Dialogue | Sequence[str | Turn]  # what callers may give
