"""An ASGI application called without any server, message by message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

Receive = Callable[[], Awaitable[Message]]


@dataclass
class Answered:
    """What an application sent; the status is 0 if that was nothing."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = False

    def json(self) -> Any:
        return json.loads(self.body)


def parts(*bodies: bytes, then: str = "wait") -> Receive:
    """Return a `receive` that gives parts of a body, and then the client waits, stops or leaves."""
    left = [*bodies]

    async def receive() -> Message:
        if left:
            body = left.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(left) or then == "stop"}
        if then == "leave":
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError

    return receive


async def call(
    app: ASGIApp,
    path: str,
    receive: Receive,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
) -> Answered:
    """Return what an application answers."""
    answered = Answered()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert not answered.status, "two answers"
            answered.status = message["status"]
            answered.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            assert answered.status, "a body without a start"
            assert not answered.is_whole, "more after the end"
            answered.body += message.get("body", b"")
            answered.is_whole = not message.get("more_body", False)

    given = {"content-type": "application/json", **dict(headers)}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await app(scope, receive, send)
    return answered
