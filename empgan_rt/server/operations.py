"""The table of all operations."""

from __future__ import annotations

from ..sessions.store import SessionStore
from .lifecycle import Lifecycle
from .models import Models
from .native.probes import Probes, Status
from .native.replies import Replies
from .native.reply_types import ReplyEvent, ReplyRequest, SayRequest, WholeReply
from .native.sessions import Forgotten, KeptDialogue, Sessions
from .observer import Observer
from .openai.catalogue import Catalogue, ModelEntry, ModelList
from .openai.chat import Chat
from .openai.chat_types import ChatChunk, ChatCompletion, ChatRequest
from .openai.response_types import Response, ResponseEvent, ResponseRequest
from .openai.responses import Responses
from .openapi import Description
from .operation import Operation
from .settings import ServerSettings

_SESSION = "/v1/sessions/{key}"
_WHOSE = {"model": "The model whose dialogue it is; the first one if it is left out."}


def operations(
    models: Models,
    settings: ServerSettings,
    store: SessionStore | None,
    observer: Observer,
    lifecycle: Lifecycle,
) -> list[Operation]:
    """Return what the API consists of, the operations of a path next to each other."""
    made = [
        *_openai(models, observer),
        *_native(models, observer),
        *(_sessions(models, settings, store, observer) if settings.with_sessions else ()),
        *_probes(models, lifecycle, observer),
    ]
    description = Description(made, needs_key=bool(settings.api_keys))
    return [
        *made,
        Operation(
            "GET",
            "/openapi.json",
            description.show,
            "openapi",
            "Returns the document that describes the API.",
            None,
            open=True,
        ),
    ]


def _openai(models: Models, observer: Observer) -> list[Operation]:
    chat, responses = Chat(models, observer), Responses(models, observer)
    catalogue = Catalogue(models)
    return [
        Operation(
            "POST",
            "/v1/chat/completions",
            chat.create,
            "createChatCompletion",
            "Answers a dialogue, as OpenAI's chat completions do.",
            ChatCompletion,
            body=ChatRequest,
            events=ChatChunk,
            errors=(404,),
        ),
        Operation(
            "POST",
            "/v1/responses",
            responses.create,
            "createResponse",
            "Answers a dialogue, as OpenAI's responses do.",
            Response,
            body=ResponseRequest,
            events=ResponseEvent,
            errors=(404,),
        ),
        Operation(
            "GET",
            "/v1/models",
            catalogue.index,
            "listModels",
            "Lists the names that a request may give for a model.",
            ModelList,
        ),
        Operation(
            "GET",
            "/v1/models/{model}",
            catalogue.show,
            "retrieveModel",
            "Tells what is known of one model.",
            ModelEntry,
            errors=(404,),
        ),
    ]


def _native(models: Models, observer: Observer) -> list[Operation]:
    replies = Replies(models, observer)
    return [
        Operation(
            "POST",
            "/v1/reply",
            replies.create,
            "reply",
            "Answers a dialogue, with all that is known of the reply.",
            WholeReply,
            body=ReplyRequest,
            events=ReplyEvent,
            errors=(404,),
        ),
    ]


def _sessions(
    models: Models, settings: ServerSettings, store: SessionStore | None, observer: Observer
) -> list[Operation]:
    sessions = Sessions(models, settings, store, observer)
    return [
        Operation(
            "POST",
            _SESSION,
            sessions.say,
            "say",
            "Goes on with a dialogue that the server remembers, or begins one.",
            WholeReply,
            body=SayRequest,
            events=ReplyEvent,
            errors=(404,),
        ),
        Operation(
            "GET",
            _SESSION,
            sessions.show,
            "showSession",
            "Returns the turns that are remembered.",
            KeptDialogue,
            query=_WHOSE,
            errors=(400, 404),
        ),
        Operation(
            "DELETE",
            _SESSION,
            sessions.forget,
            "forgetSession",
            "Forgets a dialogue.",
            Forgotten,
            query=_WHOSE,
            errors=(400, 404),
        ),
    ]


def _probes(models: Models, lifecycle: Lifecycle, observer: Observer) -> list[Operation]:
    probes = Probes(models, lifecycle, observer)
    return [
        Operation(
            "GET",
            "/health",
            probes.health,
            "health",
            "Tells that the process answers.",
            Status,
            open=True,
        ),
        Operation(
            "GET",
            "/ready",
            probes.ready,
            "ready",
            "Tells whether requests are accepted; 503 once they are not.",
            Status,
            open=True,
        ),
        Operation(
            "GET",
            "/metrics",
            probes.metrics,
            "metrics",
            "Returns what was counted, for Prometheus.",
            None,
            errors=(404,),
        ),
    ]
