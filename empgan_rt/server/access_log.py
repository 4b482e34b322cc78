"""One line for each request, in which nothing stands that a dialogue could have gone into.

Paths are written as the API's document does, such as /v1/sessions/{key}: keys, names and whatever
comes behind a "?" are the client's words.

    127.0.0.1 POST /v1/chat/completions 200 0.057s 412B req_5c0e
"""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ENDPOINT = "empgan.endpoint"  # of a scope: a list that the application puts the path's form into
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_log = logging.getLogger(__name__)


class AccessLog:
    """Logs each request when it is over.

    Args:
        inner: what answers.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and tell of it."""
        if scope["type"] != "http" or not _log.isEnabledFor(logging.INFO):
            await self._inner(scope, receive, send)
            return
        began = time.perf_counter()
        endpoint: list[str] = []
        line = _Line()

        async def counted_send(message: Message) -> None:
            line.count(message)
            await send(message)

        try:
            await self._inner({**scope, ENDPOINT: endpoint}, receive, counted_send)
        finally:
            _log.info(
                "%s %s %s %s %.3fs %dB %s",
                scope["client"][0] if scope.get("client") else "-",
                scope["method"] if scope["method"] in _METHODS else "-",
                endpoint[0] if endpoint and endpoint[0] else "-",
                line.status,
                time.perf_counter() - began,
                line.size,
                line.request_id,
            )


class _Line:
    """What an answer says of itself.

    Attributes:
        status: of HTTP; "left" if the client went away before the end.
        size: bytes of its body.
        request_id: that it has.
    """

    def __init__(self) -> None:
        self._status, self._is_whole = 0, False
        self.size, self.request_id = 0, "-"

    @property
    def status(self) -> str:
        return str(self._status) if self._is_whole else "left"

    def count(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = dict(message["headers"])
            self.request_id = headers.get(b"x-request-id", b"-").decode("latin-1")
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
