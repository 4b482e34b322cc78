"""`POST /v1/responses`: the newer of OpenAI's dialects, without state of its own.

A reply is "incomplete" only if the client's own limit ended it: clients raise on that.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import count
from typing import Any

from msgspec.structs import replace

from ...dialogue.reply import Chunk, Reply
from ...dialogue.turns import Turn
from ..asking import Asked, generated
from ..models import Model, Models
from ..observer import Observer
from ..operation import Answer, Call, Stream, event
from ..refusal import ErrorBody, bad_request
from ..vocabulary import known
from .messages import IGNORED, Message, turns_of
from .response_types import (
    Incomplete,
    OutputMessage,
    OutputText,
    Response,
    ResponseEvent,
    ResponseRequest,
    ResponseUsage,
)
from .search_fields import refuse_unsupported, search_of, unsupported
from .stop_texts import StopTexts, cut


class Responses:
    """Answers responses.

    Args:
        models: who may be asked.
        observer: who is told.
    """

    def __init__(self, models: Models, observer: Observer) -> None:
        self._models, self._observer = models, observer

    async def create(self, call: Call, body: ResponseRequest) -> Answer | Stream:
        """Return the reply to a dialogue.

        Raises:
            EmpganError: the request is not acceptable, or the model cannot answer now.
        """
        model = self._models.find(body.model)
        refuse_unsupported(body)
        if body.text and body.text.format and body.text.format.type != "text":
            raise unsupported("text.format")
        turns, is_instructed = _turns(body)
        headers = IGNORED if is_instructed or body.instructions is not None else {}
        search = search_of(model.responder.search, body, 1, body.max_output_tokens)
        asked, made = Asked(self._observer, call, model), _Made(model, body)
        if body.stream:
            chunks = asked.chunks(model.responder.stream(turns, search))
            return Stream(made.events(chunks), made.failed, headers)
        reply = await asked.reply(model.responder.reply(turns, search))
        return Answer(made.whole(reply), headers=headers)


class _Made:
    """Words a reply as the answer to one request."""

    def __init__(self, model: Model, body: ResponseRequest) -> None:
        self._stops, self._is_limited = body.stops, body.max_output_tokens is not None
        self._numbers = count()
        self._item_id = f"msg_{secrets.token_hex(16)}"
        self._empty = Response(
            id=f"resp_{secrets.token_hex(16)}",
            created_at=int(time.time()),
            status="in_progress",
            model=model.name,
            max_output_tokens=body.max_output_tokens,
            temperature=body.temperature,
            top_p=body.top_p,
        )

    def whole(self, reply: Reply) -> Response:
        """Return the answer with a reply."""
        text = cut(reply.text, self._stops)
        is_cut = len(text) < len(reply.text)
        is_short = self._is_limited and reply.finish_reason == "length" and not is_cut
        written = generated(reply, 1)
        status = "incomplete" if is_short else "completed"
        item = self._item(text, status)
        return replace(
            self._empty,
            status=status,
            output=[item],
            incomplete_details=Incomplete() if is_short else None,
            usage=ResponseUsage(
                input_tokens=reply.context_tokens,
                output_tokens=written,
                total_tokens=reply.context_tokens + written,
            ),
            empgan=known(reply),
        )

    async def events(self, chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[bytes, None]:
        """Yield the events of a stream."""
        stop_texts, has_begun = StopTexts(self._stops), False
        async with aclosing(chunks) as coming:
            async for chunk in coming:
                data = b"" if has_begun else self._begin()
                text, has_begun = stop_texts.piece(chunk.text), True
                if chunk.reply is not None:
                    text += stop_texts.rest()
                if text:
                    data += self._in_part("response.output_text.delta", delta=text, logprobs=[])
                if chunk.reply is not None:
                    data += self._end(chunk.reply)
                if data:
                    yield data

    def failed(self, body: ErrorBody) -> bytes:
        """Return the last event of a stream that fails: OpenAI's own, which has `error` besides."""
        error = body.error
        document = {
            "type": "error",
            "sequence_number": next(self._numbers),
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "error": error,
        }
        return event(document, "error")

    def _begin(self) -> bytes:
        item = self._item("", "in_progress", is_begun=False)
        return (
            self._event("response.created", response=self._empty)
            + self._event("response.in_progress", response=self._empty)
            + self._event("response.output_item.added", item=item, output_index=0)
            + self._in_part("response.content_part.added", part=OutputText(""))
        )

    def _end(self, reply: Reply) -> bytes:
        response = self.whole(reply)
        item = response.output[0]
        part = item.content[0]
        return (
            self._in_part("response.output_text.done", text=part.text, logprobs=[])
            + self._in_part("response.content_part.done", part=part)
            + self._event("response.output_item.done", item=item, output_index=0)
            + self._event(f"response.{response.status}", response=response)
        )

    def _in_part(self, name: str, **more: Any) -> bytes:
        return self._event(name, item_id=self._item_id, output_index=0, content_index=0, **more)

    def _event(self, name: str, **more: Any) -> bytes:
        number = next(self._numbers)
        return event(ResponseEvent(type=name, sequence_number=number, **more), name)

    def _item(self, text: str, status: Any, *, is_begun: bool = True) -> OutputMessage:
        content = [OutputText(text)] if is_begun else []
        return OutputMessage(id=self._item_id, status=status, content=content)


def _turns(body: ResponseRequest) -> tuple[list[Turn], bool]:
    """Return as `turns_of`.

    Raises:
        RefusedError: as `turns_of`, or an item is no message.
    """
    if isinstance(body.input, str):
        return [Turn(body.input)], False
    for place, item in enumerate(body.input):
        if item.type != "message":
            raise bad_request(
                "unsupported_content", "the model reads text alone", f"input[{place}]"
            )
    messages = [Message(item.role, item.content, item.emotion) for item in body.input]
    return turns_of(messages, "input")
