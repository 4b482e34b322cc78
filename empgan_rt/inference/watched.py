"""A dialogue on its way through a guard, or through none: what is asked of the model, what is said.

A guard is asked about the message before the model is, and about all that the search found before
anything is said. So a candidate that may not be said gives way to the next best one that may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from ..config import SearchConfig
from ..dialogue.reply import Alternative, Reply, Timings
from ..dialogue.turns import Dialogue, Turn, Turns
from ..dialogue.verdict import Verdict
from ..guard.asking import (
    awaited_input_verdict,
    awaited_reply_verdict,
    input_verdict,
    reply_verdict,
)
from ..guard.protocol import AsyncGuard, Guard
from .request import Request

AnyGuard = TypeVar("AnyGuard", bound=Guard | AsyncGuard)


class _Watching(Generic[AnyGuard]):
    """One dialogue, how its caller wants it searched, and the guard, None for none.

    Attributes:
        guard: who is asked.
        turns: the dialogue.
        search: how to search. Under a guard a beam search gives all that it found, which costs
            nothing; a sampler draws as many replies as are wanted, since more cost more.
    """

    def __init__(self, turns: Turns, search: SearchConfig, guard: AnyGuard | None) -> None:
        self.guard = guard
        self.turns, self.search, self._wanted = Dialogue.of(turns), search, search
        if guard is not None and isinstance(search, SearchConfig) and not search.sample:
            self.search = replace(search, num_hypotheses=search.beam_size)

    @property
    def characters(self) -> int:
        """How long its turns are together."""
        return sum(len(turn.text) for turn in self._read)

    @property
    def _read(self) -> Sequence[Turn]:
        return self.turns.turns

    def _heard(self, reply: Reply) -> Sequence[Turn]:
        """Return the dialogue with the emotions that the model recognised where none was given.

        The oldest turns may have been too many for the model; theirs stay unknown.
        """
        turns = list(self._read)
        for back, emotion in enumerate(reversed(reply.emotions), 1):
            if not emotion.given:
                turns[-back] = replace(turns[-back], emotion=emotion.label)
        return turns

    def _said(self, reply: Reply, verdict: Verdict) -> Reply:
        """Return what a verdict leaves of a model's reply."""
        if verdict.action != "allow":
            return _guards(reply, verdict)
        found = _found(reply)
        places = range(len(found)) if verdict.candidates is None else verdict.candidates
        best, *others = [found[place] for place in places]
        return replace(
            reply,
            text=best.text,
            score=best.score,
            token_ids=best.token_ids,
            finish_reason=best.finish_reason,
            alternatives=tuple(others[: self._wanted.num_hypotheses - 1]),
            verdict=verdict,
        )


class Watched(_Watching[Guard]):
    """A dialogue whose guard answers at once."""

    def before(self, request: Request, bundle_id: str) -> Reply | None:
        """Return what the guard says in the model's place; None if the model is to be asked."""
        if self.guard is None:
            return None
        return _instead(input_verdict(self.guard, self._read), request, bundle_id)

    def after(self, reply: Reply) -> Reply:
        """Return what may be said, of a reply that the model gave."""
        if self.guard is None:
            return reply
        return self._said(reply, reply_verdict(self.guard, self._heard(reply), _texts(reply)))


class AsyncWatched(_Watching[Guard | AsyncGuard]):
    """A dialogue whose guard may be asynchronous."""

    async def before(self, request: Request, bundle_id: str) -> Reply | None:
        """Return as `Watched.before`."""
        if self.guard is None:
            return None
        verdict = await awaited_input_verdict(self.guard, self._read)
        return _instead(verdict, request, bundle_id)

    async def after(self, reply: Reply) -> Reply:
        """Return as `Watched.after`."""
        if self.guard is None:
            return reply
        verdict = await awaited_reply_verdict(self.guard, self._heard(reply), _texts(reply))
        return self._said(reply, verdict)


def _found(reply: Reply) -> list[Alternative]:
    best = Alternative(reply.text, reply.score, reply.token_ids, reply.finish_reason)
    return [best, *reply.alternatives]


def _texts(reply: Reply) -> list[str]:
    return [each.text for each in _found(reply)]


def _guards(reply: Reply, verdict: Verdict) -> Reply:
    """Return a reply with a guard's text in place of the model's."""
    return replace(
        reply,
        text=verdict.text,
        score=0.0,
        token_ids=(),
        alternatives=(),
        finish_reason="eos",
        source="guard",
        verdict=verdict,
    )


def _instead(verdict: Verdict, request: Request, bundle_id: str) -> Reply | None:
    """Return the reply to a message that the model does not see; None if it may."""
    if verdict.action == "allow":
        return None
    features, took_ms = request.features, request.featurize_ms
    nothing = Reply(
        text="",
        score=0.0,
        token_ids=(),
        emotions=(),
        alternatives=(),
        finish_reason="eos",
        timings=Timings(took_ms, 0.0, 0.0, 0.0, took_ms, took_ms),
        unk_ratio=features.unk_ratio,
        turns_dropped=features.turns_dropped,
        tokens_dropped=features.tokens_dropped,
        bundle_id=bundle_id,
        context_tokens=features.context_tokens,
    )
    return _guards(nothing, verdict)
