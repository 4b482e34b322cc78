"""The table of all operations."""

from __future__ import annotations

from .lifecycle import Lifecycle
from .models import Models
from .native.probes import Probes, Status
from .observer import Observer
from .openai.catalogue import Catalogue, ModelEntry, ModelList
from .openai.chat import Chat
from .openai.chat_types import ChatChunk, ChatCompletion, ChatRequest
from .operation import Operation
from .settings import ServerSettings


def operations(
    models: Models, settings: ServerSettings, observer: Observer, lifecycle: Lifecycle
) -> list[Operation]:
    """Return what the API consists of, the operations of a path next to each other."""
    chat = Chat(models, observer)
    catalogue = Catalogue(models)
    probes = Probes(lifecycle, observer)
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
            errors=(404, 429),
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
            "Tells whether requests are accepted.",
            Status,
            open=True,
            errors=(503,),
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
