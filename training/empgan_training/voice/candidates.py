"""What is compared: models, each with a way to search, and what they reply to the contexts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from empgan_rt.config import SearchConfig
from empgan_rt.dialogue.reply import Reply
from empgan_rt.errors import InputError

from ..stored_json import decode_json
from .contexts import Context

_HINT = "give NAME=BUNDLE or NAME=BUNDLE:length_penalty=0,beam_size=5,guard=true"
_GUARD = "guard"  # the setting that is none of the search's


class Speaker(Protocol):
    """What answers; a `Responder` does."""

    def reply_batch(
        self, dialogues: Sequence[Sequence[str]], search: SearchConfig
    ) -> Sequence[Reply]:
        """Return the next turn of each dialogue, in their order."""
        ...


@dataclass(frozen=True)
class Candidate:
    """One candidate as it was asked for.

    Attributes:
        name: what the key calls it.
        bundle: where its model is.
        guard: whether `WordGuard` watches it.
        settings: of its search.
    """

    name: str
    bundle: str
    guard: bool
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Answers:
    """What a candidate said.

    Attributes:
        bundle: id of the bundle that answered.
        search: how it was searched.
        replies: context id -> text.
        guard: whether a guard watched it.
        from_guard: ids of the contexts that the guard answered in the model's place.
    """

    bundle: str
    search: SearchConfig
    replies: Mapping[str, str]
    guard: bool
    from_guard: tuple[str, ...]


def parse_candidates(texts: Sequence[str]) -> list[Candidate]:
    """Return the candidates in texts such as "greedy=default:beam_size=1".

    Values are read as JSON: numbers, true and false.

    Raises:
        InputError: one is nothing like that, or a name is there twice.
    """
    found: dict[str, Candidate] = {}
    for text in texts:
        name, _, rest = text.partition("=")
        bundle, _, settings = rest.partition(":")
        if not name.strip() or not bundle:
            raise InputError(f"--candidate {text[:80]!r}", hint=_HINT)
        if name in found:
            raise InputError(f"two candidates called {name[:40]!r}", hint="give each its own name")
        pairs = [pair.partition("=") for pair in settings.split(",") if settings]
        given = {key: _value(key, raw) for key, _, raw in pairs}
        guard = given.pop(_GUARD, False)
        if not isinstance(guard, bool):
            raise InputError(f"search setting {_GUARD}={guard!r}", hint="give true or false")
        found[name] = Candidate(name, bundle, guard, given)
    return list(found.values())


def answer(
    speaker: Speaker, search: SearchConfig, contexts: Sequence[Context], *, guard: bool = False
) -> Answers:
    """Return what a speaker, which a guard may watch, says to every context.

    Raises:
        EmpganError: as `Responder.reply_batch`.
    """
    replies = speaker.reply_batch([context.turns for context in contexts], search)
    texts = {
        context.id: reply.text.strip() for context, reply in zip(contexts, replies, strict=True)
    }
    from_guard = tuple(
        context.id
        for context, reply in zip(contexts, replies, strict=True)
        if reply.source == "guard"
    )
    return Answers(replies[0].bundle_id, search, texts, guard, from_guard)


def _value(key: str, raw: str) -> Any:
    try:
        return decode_json(raw.encode("utf-8"), object)
    except ValueError:
        raise InputError(f"search setting {key[:40]}={raw[:40]!r}", hint=_HINT) from None
