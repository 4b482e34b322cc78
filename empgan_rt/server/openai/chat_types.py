"""The bodies of `POST /v1/chat/completions`, as OpenAI's clients write and read them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from ..vocabulary import Hypotheses, Known, ModelName
from .messages import Messages
from .search_fields import SearchFields, Tokens, only

FinishReason = Literal["stop", "length"]


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream has besides its deltas."""

    include_usage: bool | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    """The form of the reply; the model writes text alone."""

    type: Annotated[str, only("text")]


class ChatRequest(SearchFields, kw_only=True, frozen=True):
    """A dialogue that is to be answered. Fields that are not listed are ignored."""

    messages: Messages
    model: ModelName | None = None
    n: Hypotheses | None = None
    max_completion_tokens: Tokens | None = None
    max_tokens: Tokens | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    frequency_penalty: Annotated[Any, only(None, 0)] = None
    presence_penalty: Annotated[Any, only(None, 0)] = None
    logit_bias: Annotated[Any, only(None, {})] = None
    logprobs: Annotated[Any, only(None, False)] = None
    top_logprobs: Annotated[Any, only(None, 0)] = None
    tools: Annotated[Any, only(None, [])] = None
    tool_choice: Annotated[Any, only(None, "none", "auto")] = None
    functions: Annotated[Any, only(None, [])] = None
    function_call: Annotated[Any, only(None, "none", "auto")] = None
    audio: Annotated[Any, only(None)] = None
    modalities: Annotated[Any, only(None, ["text"])] = None
    web_search_options: Annotated[Any, only(None)] = None

    @property
    def most_tokens(self) -> int | None:
        """The most tokens of a reply; None for the model's own number."""
        return self.max_completion_tokens or self.max_tokens


class Usage(msgspec.Struct, frozen=True):
    """Tokens of the dialogue that were read, and of all replies together."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, read: int, written: int) -> Usage:
        """Return the usage of so many tokens."""
        return cls(read, written, read + written)


class AssistantMessage(msgspec.Struct, frozen=True):
    """What the model says."""

    content: str
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class Choice(msgspec.Struct, frozen=True):
    """One reply; the first is the best."""

    index: int
    message: AssistantMessage
    finish_reason: FinishReason
    logprobs: None = None


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a `ChatRequest` that does not stream."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage
    empgan: Known


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a chunk adds to a reply."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(msgspec.Struct, frozen=True):
    """The part of a chunk that belongs to one reply."""

    index: int
    delta: Delta
    finish_reason: FinishReason | None = None
    logprobs: None = None


class ChatChunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a stream; the last two may be of usage alone, and `[DONE]`."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET
    empgan: Known | msgspec.UnsetType = msgspec.UNSET
