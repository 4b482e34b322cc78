"""The whole API as one ASGI application, to be run by itself or mounted into another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from ..inference.async_responder import AsyncResponder
from ..sessions.store import SessionStore
from .door import JsonErrors, RequestIds
from .lifecycle import Lifecycle
from .models import Models
from .observer import SILENT, Observer
from .operation import Operation
from .operations import operations
from .page import page_routes
from .resource import Resource
from .settings import ServerSettings

_TOLD = ("x-request-id", "x-empgan-ignored", "retry-after", "x-should-retry")


def app(
    responders: AsyncResponder | Mapping[str, AsyncResponder],
    *,
    settings: ServerSettings | None = None,
    sessions: SessionStore | None = None,
    observer: Observer = SILENT,
    lifecycle: Lifecycle | None = None,
) -> ASGIApp:
    """Return an application that answers with these responders; for one event loop.

    They stay the caller's, who closes them when the application is no longer run.

    Args:
        responders: one, called "default", or several by their names, of which the first answers
            who names none. A guard is one of a responder's own.
        settings: limits, keys, names; None for the defaults, without keys.
        sessions: has the turns of dialogues that are remembered, and stays the caller's too; it is
            of this application alone. None for memory.
        observer: is told of each request.
        lifecycle: through which requests are counted, and refused; None for one of its own.

    Raises:
        InputError: there is no responder, or an alias leads nowhere.
    """
    settings = ServerSettings() if settings is None else settings
    lifecycle = Lifecycle() if lifecycle is None else lifecycle
    models = Models(responders, settings.aliases)
    made = operations(models, settings, sessions, observer, lifecycle)
    routes = [_route(each, settings, lifecycle) for each in _by_path(made)]
    router = Router([*routes, *page_routes()], redirect_slashes=False)
    inner: ASGIApp = JsonErrors(router, observer)
    if settings.cors_origins:
        inner = CORSMiddleware(
            inner,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("*",),
            expose_headers=_TOLD,
        )
    return RequestIds(inner)


def _by_path(made: Sequence[Operation]) -> list[list[Operation]]:
    return [[*each] for _, each in groupby(made, lambda operation: operation.path)]


def _route(made: Sequence[Operation], settings: ServerSettings, lifecycle: Lifecycle) -> Route:
    resource = Resource(made, settings, lifecycle)
    # Names of models may hold slashes.
    path = resource.path.replace("{model}", "{model:path}")
    return Route(path, resource, methods=resource.methods)
