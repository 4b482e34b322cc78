"""`POST /v1/chat/completions`: a reply as a whole, or as server-sent events.

A stream has a chunk with the role, deltas, one more with the finish reason for each choice, the
usage if it was asked for, and `[DONE]`. Choices besides the best come whole at the end, because
only the best is certain before.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from ...dialogue.reply import Alternative, Chunk, Reply
from ..asking import Asked, generated
from ..models import Model, Models
from ..observer import Observer
from ..operation import Answer, Call, Stream, event
from ..refusal import bad_request
from ..vocabulary import known
from .chat_types import (
    AssistantMessage,
    ChatChunk,
    ChatCompletion,
    ChatRequest,
    Choice,
    ChunkChoice,
    Delta,
    FinishReason,
    Usage,
)
from .messages import IGNORED, turns_of
from .search_fields import refuse_unsupported, search_of, unsupported
from .stop_texts import StopTexts, cut

DONE = b"data: [DONE]\n\n"


class Chat:
    """Answers chat completions.

    Args:
        models: who may be asked.
        observer: who is told.
    """

    def __init__(self, models: Models, observer: Observer) -> None:
        self._models, self._observer = models, observer

    async def create(self, call: Call, body: ChatRequest) -> Answer | Stream:
        """Return the reply to a dialogue.

        Raises:
            EmpganError: the request is not acceptable, or the model cannot answer now.
        """
        model = self._models.find(body.model)
        _check(body)
        turns, is_instructed = turns_of(body.messages, "messages")
        headers = IGNORED if is_instructed else {}
        answered = _Completion(model, body)
        search = search_of(model.responder.search, body, answered.count, body.most_tokens)
        asked = Asked(self._observer, call, model, answered.count)
        if body.stream:
            chunks = asked.chunks(model.responder.stream(turns, search))
            return Stream(answered.events(chunks), event, headers)
        reply = await asked.reply(model.responder.reply(turns, search))
        return Answer(answered.whole(reply), headers=headers)


class _Completion:
    """Words replies as the answer to one request."""

    def __init__(self, model: Model, body: ChatRequest) -> None:
        self.count = body.n or 1
        self._stops = body.stops
        self._usage = body.stream_options is not None and bool(body.stream_options.include_usage)
        self._made: dict[str, Any] = {
            "id": f"chatcmpl-{secrets.token_hex(16)}",
            "created": int(time.time()),
            "model": model.name,
            "system_fingerprint": model.responder.bundle.bundle_id,
        }

    def whole(self, reply: Reply) -> ChatCompletion:
        """Return the answer with a reply."""
        choices = [
            Choice(index, AssistantMessage(cut(each.text, self._stops)), self._reason(each))
            for index, each in enumerate(self._chosen(reply))
        ]
        return ChatCompletion(
            **self._made,
            choices=choices,
            usage=self._used(reply),
            empgan=known(reply, self.count),
        )

    async def events(self, chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[bytes, None]:
        """Yield the events of a stream."""
        stop_texts, has_begun = StopTexts(self._stops), False
        async with aclosing(chunks) as coming:
            async for chunk in coming:
                data = b"" if has_begun else self._event(0, Delta(role="assistant", content=""))
                text, has_begun = stop_texts.piece(chunk.text), True
                if chunk.reply is not None:
                    text += stop_texts.rest()
                if text:
                    data += self._event(0, Delta(content=text))
                if chunk.reply is not None:
                    data += self._end(chunk.reply)
                if data:
                    yield data

    def _end(self, reply: Reply) -> bytes:
        best, *others = self._chosen(reply)
        data = self._event(0, Delta(), self._reason(best), empgan=known(reply, self.count))
        for index, other in enumerate(others, start=1):
            text = cut(other.text, self._stops)
            data += self._event(index, Delta(role="assistant", content=text))
            data += self._event(index, Delta(), self._reason(other))
        if self._usage:
            data += event(ChatChunk(**self._made, choices=[], usage=self._used(reply)))
        return data + DONE

    def _event(
        self, index: int, delta: Delta, reason: FinishReason | None = None, **more: Any
    ) -> bytes:
        if self._usage:
            more["usage"] = None
        return event(ChatChunk(**self._made, choices=[ChunkChoice(index, delta, reason)], **more))

    def _chosen(self, reply: Reply) -> list[Reply | Alternative]:
        return [reply, *reply.alternatives[: self.count - 1]]

    def _reason(self, each: Reply | Alternative) -> FinishReason:
        """Return why a reply ended; a stop ends it as the model itself does."""
        is_cut = len(cut(each.text, self._stops)) < len(each.text)
        return "stop" if is_cut or each.finish_reason == "eos" else "length"

    def _used(self, reply: Reply) -> Usage:
        return Usage.of(reply.context_tokens, generated(reply, self.count))


def _check(body: ChatRequest) -> None:
    """Do nothing if a request wants nothing that cannot be had.

    Raises:
        RefusedError: it does.
    """
    refuse_unsupported(body)
    if body.response_format is not None and body.response_format.type != "text":
        raise unsupported("response_format")
    if body.stream_options is not None and not body.stream:
        raise bad_request("invalid_value", "only a stream has stream_options", "stream_options")
