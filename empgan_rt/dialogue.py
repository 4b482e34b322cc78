"""What goes in and what comes out: turns, dialogues and replies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

from .errors import InputError
from .verdict import Verdict


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


@dataclass(frozen=True)
class RecognisedEmotion:
    """What the model took one turn's emotion to be.

    `given` tells whether the caller supplied the label; then its probability is 1.
    """

    label: Emotion
    probabilities: Mapping[Emotion, float]
    given: bool

    def to_dict(self) -> dict[str, Any]:
        """Return its name, probability (0 to 1) and whether it was given as plain JSON values."""
        return {
            "label": self.label.name.lower(),
            "probability": self.probabilities[self.label],
            "given": self.given,
        }


FinishReason = Literal["eos", "length"]


@dataclass(frozen=True)
class Alternative:
    """One more hypothesis of the same search, readable text and score as in `Reply`."""

    text: str
    score: float
    token_ids: tuple[int, ...]
    finish_reason: FinishReason

    def to_dict(self) -> dict[str, Any]:
        """Return its text, score and finish reason as plain JSON values."""
        return {"text": self.text, "score": self.score, "finish_reason": self.finish_reason}


@dataclass(frozen=True)
class Timings:
    """The milliseconds that each part of one reply took.

    Others that were encoded or decoded beside it are not taken off: it waited for them.

    Attributes:
        featurize_ms: from text to ids.
        queue_ms: until its batch entered the encoder.
        encode_ms: its batch in the encoder.
        decode_ms: from there to its last step.
        total_ms: all of these.
        first_token_ms: until its first step was done.
    """

    featurize_ms: float
    queue_ms: float
    encode_ms: float
    decode_ms: float
    total_ms: float
    first_token_ms: float


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        text: readable text (capitals, contractions and punctuation joined).
        score: log-probability divided by length ** length_penalty; higher is better.
        token_ids: vocabulary ids, without start and end of sequence.
        emotions: the recognised (or given) emotion of each turn that was read.
        alternatives: the other hypotheses of the search, best first.
        finish_reason: "eos" if the model ended the reply, "length" if the limit did.
        unk_ratio: share of the context's tokens outside the vocabulary, 0 to 1.
        turns_dropped: oldest turns left out because the dialogue exceeds the window.
        tokens_dropped: tokens cut from turns longer than the limit.
        bundle_id: which model answered.
        source: "guard" if the text is a guard's, who then leaves score, token_ids and alternatives
            empty, and emotions too if the model was not asked.
        verdict: the guard's last one; None if there is no guard.
    """

    text: str
    score: float
    token_ids: tuple[int, ...]
    emotions: tuple[RecognisedEmotion, ...]
    alternatives: tuple[Alternative, ...]
    finish_reason: FinishReason
    timings: Timings
    unk_ratio: float
    turns_dropped: int
    tokens_dropped: int
    bundle_id: str
    source: Literal["model", "guard"] = "model"
    verdict: Verdict | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the reply as plain JSON values, as the commands print it.

        What says how it was computed is left out: token ids and timings.
        """
        return {
            "text": self.text,
            "score": self.score,
            "finish_reason": self.finish_reason,
            "emotions": [emotion.to_dict() for emotion in self.emotions],
            "alternatives": [other.to_dict() for other in self.alternatives],
            "unk_ratio": self.unk_ratio,
            "turns_dropped": self.turns_dropped,
            "tokens_dropped": self.tokens_dropped,
            "bundle_id": self.bundle_id,
            "source": self.source,
            "verdict": None if self.verdict is None else self.verdict.to_dict(),
        }


@dataclass(frozen=True)
class Chunk:
    """A piece of a streamed reply; joining the texts of all chunks gives the reply's text.

    The last chunk carries the whole `reply`; all others carry None.

    Attributes:
        tokens: how many of the reply's tokens it adds; with several beams often more than one.
    """

    text: str
    reply: Reply | None = field(default=None)
    tokens: int = 0
