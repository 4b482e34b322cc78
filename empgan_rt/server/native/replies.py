"""`POST /v1/reply`: one dialogue, answered with all that is known of the reply."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ...dialogue.reply import Chunk
from ..asking import Asked
from ..models import Models
from ..observer import Observer
from ..operation import Answer, Call, Stream, event
from .reply_types import GivenTurn, ReplyEvent, ReplyRequest, search_of, whole_reply


class Replies:
    """Answers dialogues.

    Args:
        models: who may be asked.
        observer: who is told.
    """

    def __init__(self, models: Models, observer: Observer) -> None:
        self._models, self._observer = models, observer

    async def create(self, call: Call, body: ReplyRequest) -> Answer | Stream:
        """Return the reply to a dialogue.

        Raises:
            EmpganError: the request is not acceptable, or the model cannot answer now.
        """
        model = self._models.find(body.model)
        search = search_of(model.responder.search, body.search)
        turns = [turn.turn if isinstance(turn, GivenTurn) else turn for turn in body.turns]
        asked = Asked(self._observer, call, model)
        if body.stream:
            chunks = asked.chunks(model.responder.stream(turns, search))
            return Stream(reply_events(chunks, model.name), event)
        reply = await asked.reply(model.responder.reply(turns, search))
        return Answer(whole_reply(reply, model.name))


async def reply_events(
    chunks: AsyncGenerator[Chunk, None], model: str
) -> AsyncGenerator[bytes, None]:
    """Yield the events of a stream: `{"text": ...}` for each piece, and `{"reply": ...}` last."""
    async with aclosing(chunks) as coming:
        async for chunk in coming:
            data = event(ReplyEvent(text=chunk.text)) if chunk.text else b""
            if chunk.reply is not None:
                data += event(ReplyEvent(reply=whole_reply(chunk.reply, model)))
            if data:
                yield data
