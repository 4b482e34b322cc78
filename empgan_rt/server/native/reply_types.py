"""The bodies of our own dialect: dialogues with emotions, settings of the search, whole replies."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec

from ...config import (
    MAX_CANDIDATES,
    MAX_LENGTH,
    MAX_SEED,
    SearchConfig,
)
from ...dialogue.reply import Reply
from ...dialogue.turns import EmotionName, Turn
from ..vocabulary import (
    MAX_BANNED,
    MAX_TURNS,
    BannedWord,
    GuardVerdict,
    HeardEmotion,
    Hypotheses,
    ModelName,
    OtherReply,
    Said,
    turn_of,
)


class GivenTurn(msgspec.Struct, frozen=True):
    """What one speaker said, and the emotion if it is known."""

    text: Said
    emotion: EmotionName | None = None

    @property
    def turn(self) -> Turn:
        """The turn that it is."""
        return turn_of(self.text, self.emotion)


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """How to search, as `SearchConfig` of the SDK; what is left out is the model's own setting."""

    beam_size: Hypotheses | None = None
    num_hypotheses: Hypotheses | None = None
    max_length: Annotated[int, msgspec.Meta(ge=1, le=MAX_LENGTH)] | None = None
    min_length: Annotated[int, msgspec.Meta(ge=0, le=MAX_LENGTH)] | None = None
    length_penalty: Annotated[float, msgspec.Meta(ge=-10.0, le=10.0)] | None = None
    no_repeat_ngram: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    repetition_penalty: Annotated[float, msgspec.Meta(ge=1.0, le=100.0)] | None = None
    banned_words: Annotated[list[BannedWord], msgspec.Meta(max_length=MAX_BANNED)] | None = None
    allow_unknown: bool | None = None
    early_stopping: bool | None = None
    sample: bool | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0.01, le=100.0)] | None = None
    top_k: Annotated[int, msgspec.Meta(ge=1, le=MAX_CANDIDATES)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=1e-6, le=1.0)] | None = None
    seed: Annotated[int, msgspec.Meta(ge=0)] | None = None


def search_of(own: SearchConfig, wanted: Search | None) -> SearchConfig:
    """Return the search for a request.

    A beam search that is not told otherwise gives all that it found, which costs nothing. What
    `own` bans stays banned.

    Raises:
        InputError: the settings do not go together.
    """
    changes: dict[str, Any] = {}
    for name in wanted.__struct_fields__ if wanted is not None else ():
        value = getattr(wanted, name)
        if value is not None:
            changes[name] = value
    if "banned_words" in changes:
        changes["banned_words"] = (*own.banned_words, *changes["banned_words"])
    if "seed" in changes:
        changes["seed"] %= MAX_SEED + 1
    if not changes.get("sample", own.sample):
        beam_size = max(own.beam_size, changes.get("num_hypotheses", 1))
        changes.setdefault("num_hypotheses", changes.setdefault("beam_size", beam_size))
    return replace(own, **changes)


class ReplyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A dialogue that is to be answered, oldest turn first. Fields not listed are ignored."""

    turns: Annotated[list[Said | GivenTurn], msgspec.Meta(min_length=1, max_length=MAX_TURNS)]
    model: ModelName | None = None
    search: Search | None = None
    stream: bool = False


class SayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the user says in a dialogue that the server remembers."""

    text: Said
    emotion: EmotionName | None = None
    model: ModelName | None = None
    stream: bool = False


class TokenCounts(msgspec.Struct, frozen=True):
    """Tokens of the dialogue that were read, and of the reply, its alternatives not counted."""

    read: int
    written: int


class WholeReply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply, and all that is known of it.

    Its source is "guard" if the text is a guard's; score and alternatives are empty then.
    """

    text: str
    score: float
    finish_reason: Literal["eos", "length"]
    emotions: list[HeardEmotion]
    alternatives: list[OtherReply]
    unk_ratio: float
    turns_dropped: int
    tokens_dropped: int
    bundle_id: str
    source: Literal["model", "guard"]
    verdict: GuardVerdict | None
    model: str
    tokens: TokenCounts


class ReplyEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event of a stream: a piece of the text, or the whole reply, last."""

    text: str | None = None
    reply: WholeReply | None = None


def whole_reply(reply: Reply, model: str) -> WholeReply:
    """Return a reply as it is sent."""
    tokens = TokenCounts(reply.context_tokens, len(reply.token_ids))
    return msgspec.convert(reply.to_dict() | {"model": model, "tokens": tokens}, WholeReply)
