"""What every answer has, whatever happens behind it: an id, and errors as JSON."""

from __future__ import annotations

import re
import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access_log import ENDPOINT
from .body import ClientGoneError
from .observer import Observer
from .operation import Answer
from .refusal import refusal_of
from .resource import send_whole

_ID = re.compile(r"[A-Za-z0-9._:/-]{1,128}")  # of a client's; it is written to logs


class RequestIds:
    """Gives every answer the header `x-request-id`, the client's own if it gave a usable one.

    Args:
        inner: what answers; it finds the id in the scope, as "empgan.request_id".
    """

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _ID.fullmatch(given) else f"req_{secrets.token_hex(16)}"

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["x-content-type-options"] = "nosniff"
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._inner({**scope, "empgan.request_id": request_id}, receive, send_with_id)


class JsonErrors:
    """Answers with a JSON body where the application inside raises.

    Args:
        inner: what answers, a router that raises where it has no such path.
        observer: told of each refusal.
    """

    def __init__(self, inner: ASGIApp, observer: Observer) -> None:
        self._inner, self._observer = inner, observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a client that has gone gets nothing."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        has_begun = False

        async def watched_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        # Starlette's router raises, instead of answering in plain text, if it finds an "app".
        inside = {**scope, "app": self}
        try:
            await self._inner(inside, receive, watched_send)
        except ClientGoneError:
            return
        except Exception as error:
            # A name for it in this frame, which it refers to, would keep both for the collector.
            answer = self._told(error, _path(inside))
            if not has_begun:  # else the connection ends too early, which tells the client
                await send_whole(answer, send)
        finally:
            if ENDPOINT in scope:
                scope[ENDPOINT].append(_path(inside))

    def _told(self, error: Exception, path: str) -> Answer:
        """Return what a client is told of an error, once the observer was told."""
        refusal = refusal_of(error)
        self._observer.refused(path, refusal.status, refusal.reason)
        return Answer(refusal.body(), refusal.status, refusal.headers)


def _path(scope: Scope) -> str:
    """Return the path that a request met, as the API's document writes it; "" for none."""
    return getattr(scope.get("endpoint"), "path", "")
