"""The bodies of `POST /v1/responses`, as OpenAI's clients write and read them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from ...dialogue.turns import EmotionName
from ..vocabulary import MAX_TURNS, Known, ModelName
from .messages import ROLES, Content
from .search_fields import SearchFields, Tokens, only

Status = Literal["in_progress", "completed", "incomplete"]


class InputItem(msgspec.Struct, frozen=True):
    """One message of the dialogue; other kinds of items cannot be read."""

    role: Annotated[str, msgspec.Meta(extra_json_schema={"enum": [*ROLES]})] = ""
    content: Content = None
    emotion: EmotionName | None = None
    type: Annotated[str, only("message")] = "message"


class TextFormat(msgspec.Struct, frozen=True):
    """The form of the reply; the model writes text alone."""

    type: Annotated[str, only("text")] = "text"


class TextOptions(msgspec.Struct, frozen=True):
    """How the reply is written."""

    format: TextFormat | None = None


class ResponseRequest(SearchFields, kw_only=True, frozen=True):
    """A dialogue, or one message, that is to be answered. Fields not listed are ignored."""

    input: str | Annotated[list[InputItem], msgspec.Meta(min_length=1, max_length=MAX_TURNS)]
    model: ModelName | None = None
    instructions: Any = None
    max_output_tokens: Tokens | None = None
    stream: bool | None = None
    text: TextOptions | None = None
    tools: Annotated[Any, only(None, [])] = None
    tool_choice: Annotated[Any, only(None, "none", "auto")] = None
    top_logprobs: Annotated[Any, only(None, 0)] = None
    previous_response_id: Annotated[Any, only(None)] = None
    conversation: Annotated[Any, only(None)] = None
    background: Annotated[Any, only(None, False)] = None
    prompt: Annotated[Any, only(None)] = None


class OutputText(msgspec.Struct, frozen=True):
    """The text of a message."""

    text: str
    type: Literal["output_text"] = "output_text"
    annotations: list[Any] = []
    logprobs: list[Any] = []


class OutputMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What the model says."""

    id: str
    type: Literal["message"] = "message"
    status: Status
    role: Literal["assistant"] = "assistant"
    content: list[OutputText]


class InputDetails(msgspec.Struct, frozen=True):
    """Of the tokens that were read."""

    cached_tokens: int = 0


class OutputDetails(msgspec.Struct, frozen=True):
    """Of the tokens that were written."""

    reasoning_tokens: int = 0


class ResponseUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of the dialogue that were read, and of the reply."""

    input_tokens: int
    input_tokens_details: InputDetails = InputDetails()
    output_tokens: int
    output_tokens_details: OutputDetails = OutputDetails()
    total_tokens: int


class Incomplete(msgspec.Struct, frozen=True):
    """Why a reply ended before its end."""

    reason: Literal["max_output_tokens"] = "max_output_tokens"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a `ResponseRequest`."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Status
    model: str
    output: list[OutputMessage] = []
    usage: ResponseUsage | None = None
    incomplete_details: Incomplete | None = None
    error: None = None
    instructions: None = None
    metadata: dict[str, str] = {}
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    previous_response_id: None = None
    parallel_tool_calls: bool = False
    tool_choice: Literal["none"] = "none"
    tools: list[Any] = []
    text: TextOptions = TextOptions(TextFormat())
    truncation: Literal["auto"] = "auto"
    store: bool = False
    background: bool = False
    empgan: Known | msgspec.UnsetType = msgspec.UNSET


class ResponseEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of a stream; which fields it has depends on its type."""

    type: str
    sequence_number: Annotated[int, msgspec.Meta(ge=0)]
    response: Response | None = None
    item: OutputMessage | None = None
    part: OutputText | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    delta: str | None = None
    text: str | None = None
    logprobs: list[Any] | None = None
