"""Types that bodies of both dialects share, with the limits that hold at the door."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from ..config import MAX_BANNED_CHARACTERS
from ..dialogue.reply import Reply
from ..dialogue.turns import Emotion, EmotionName, Turn
from .models import MAX_NAME

MAX_TURNS = 2000  # of one request; the model reads the newest ones
MAX_HYPOTHESES = 32  # wanted of one request, and beams: what a stranger may make the model compute
MAX_BANNED = 100  # words and phrases of one request

# Spaces and invisible characters are no words to a tokenizer of ours; beyond U+FFFF a few more are.
NOT_IN_WORDS = (
    r"\s\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    r"\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
)
# The document says it; the tokenizer holds it, for turns that are read at all.
Said = Annotated[
    str,
    msgspec.Meta(
        description="At least one word or punctuation mark.",
        extra_json_schema={"pattern": f"[^{NOT_IN_WORDS}]"},
    ),
]
ModelName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
BannedWord = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_BANNED_CHARACTERS)]
Hypotheses = Annotated[int, msgspec.Meta(ge=1, le=MAX_HYPOTHESES)]


class HeardEmotion(msgspec.Struct, frozen=True):
    """What the model took the emotion of one turn to be, or was told that it is."""

    label: EmotionName
    probability: float
    given: bool


class OtherReply(msgspec.Struct, frozen=True):
    """One more reply that the search found."""

    text: str
    score: float
    finish_reason: Literal["eos", "length"]


class GuardVerdict(msgspec.Struct, frozen=True):
    """What the guard said of the message or of the reply."""

    action: Literal["allow", "replace", "block", "hand_over"]
    category: str
    rule: str
    message: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a reply besides its text; its source is "guard" if the text is a guard's."""

    emotions: list[HeardEmotion]
    alternatives: list[OtherReply]
    source: Literal["model", "guard"]
    verdict: GuardVerdict | None
    score: float
    unk_ratio: float
    turns_dropped: int
    tokens_dropped: int
    bundle_id: str


def known(reply: Reply, choices: int = 1) -> Known:
    """Return what is known of a reply; its first alternatives may have been given as choices."""
    document: dict[str, Any] = reply.to_dict()
    document["alternatives"] = document["alternatives"][choices - 1 :]
    return msgspec.convert(document, Known)


def turn_of(text: str, emotion: EmotionName | None) -> Turn:
    """Return a turn of a body."""
    return Turn(text, None if emotion is None else Emotion.parse(emotion))


def name_of(emotion: Emotion | None) -> EmotionName | None:
    """Return what an emotion is called in bodies."""
    return None if emotion is None else msgspec.convert(emotion.name.lower(), EmotionName)
