"""From what an engine found to what the user gets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..dialogue.reply import Alternative, Chunk, RecognisedEmotion, Reply, Timings
from ..dialogue.turns import Emotion
from ..errors import InputError
from ..graph_spec import UNKNOWN_LABEL, FloatArray
from ..text.featurizer import Featurizer, TurnFeatures
from .ticket import Ticket


def reply_of(ticket: Ticket, featurizer: Featurizer, bundle_id: str) -> Reply:
    """Return the reply that a ticket ended with.

    Raises:
        InputError: it has not ended, or failed.
    """
    if not ticket.hypotheses or ticket.label_probs is None:
        raise InputError("a request without a result", hint="wait for it")
    found = [
        Alternative(featurizer.text_of(h.token_ids), h.score, h.token_ids, h.finish_reason)
        for h in ticket.hypotheses
    ]
    best, features = found[0], ticket.request.features
    emotions = zip(features.turns, ticket.label_probs, strict=False)
    return Reply(
        text=best.text,
        score=best.score,
        token_ids=best.token_ids,
        emotions=tuple(_emotion(turn, probabilities) for turn, probabilities in emotions),
        alternatives=tuple(found[1:]),
        finish_reason=best.finish_reason,
        timings=_timings(ticket),
        unk_ratio=features.unk_ratio,
        turns_dropped=features.turns_dropped,
        tokens_dropped=features.tokens_dropped,
        bundle_id=bundle_id,
        context_tokens=features.context_tokens,
    )


def whole(reply: Reply) -> Chunk:
    """Return a reply as the only chunk of a stream."""
    return Chunk(reply.text, reply, len(reply.token_ids))


class Pieces:
    """Cuts the reply to a request into chunks, as more of it becomes certain.

    Args:
        ticket: of a request that `streams`.
        featurizer: turns tokens into text.
    """

    def __init__(self, ticket: Ticket, featurizer: Featurizer) -> None:
        self._ticket, self._featurizer = ticket, featurizer
        self._text, self._tokens = "", 0

    def grown(self) -> Iterator[Chunk]:
        """Yield what has become certain since the last chunk, if it shows in the text."""
        prefix = self._ticket.prefix
        text = self._featurizer.text_of(prefix, whole=False)
        if text != self._text:
            yield self._cut(text, len(prefix))

    def last(self, reply: Reply) -> Chunk:
        """Return the rest of the reply, and the reply."""
        return self._cut(reply.text, len(reply.token_ids), reply)

    def _cut(self, text: str, tokens: int, reply: Reply | None = None) -> Chunk:
        chunk = Chunk(text[len(self._text) :], reply, tokens - self._tokens)
        self._text, self._tokens = text, tokens
        return chunk


def _timings(ticket: Ticket) -> Timings:
    featurize = ticket.request.featurize_ms
    queue = (ticket.encoding - ticket.submitted) * 1e3
    encode = (ticket.encoded - ticket.encoding) * 1e3
    decode = (ticket.ended - ticket.encoded) * 1e3
    return Timings(
        featurize_ms=featurize,
        queue_ms=queue,
        encode_ms=encode,
        decode_ms=decode,
        total_ms=featurize + queue + encode + decode,
        first_token_ms=featurize + queue + (ticket.stepped - ticket.encoding) * 1e3,
    )


def _emotion(turn: TurnFeatures, probabilities: FloatArray) -> RecognisedEmotion:
    """Return a turn's emotion, given by the caller or else from (7,) probabilities."""
    given = turn.label != UNKNOWN_LABEL
    if given:
        probabilities = np.eye(len(Emotion), dtype=np.float32)[turn.label - 1]
    label = Emotion(int(probabilities.argmax()) + 1)
    return RecognisedEmotion(label, dict(zip(Emotion, probabilities.tolist(), strict=True)), given)
