"""What comes out: replies, their parts, and the chunks of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .turns import Emotion
from .verdict import Verdict


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
        context_tokens: tokens of the dialogue that were read, whoever answered.
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
    context_tokens: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the reply as plain JSON values, as the commands print it.

        What says how it was computed is left out: tokens and timings.
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
