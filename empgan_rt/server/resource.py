"""One path of the API: who may call it, what becomes of a client that leaves, how answers go out.

A client that goes away ends the work for it: whatever is awaited at that moment is cancelled, a
plain reply and a stream's first piece too, and the model takes at most the step that it is in.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext

import msgspec
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from .body import ClientGoneError, check_form, decode, read_body
from .lifecycle import Lifecycle
from .operation import Answer, Call, Operation, Stream
from .refusal import RefusedError, late, refusal_of
from .settings import ServerSettings


class Resource:
    """The operations of one path, as an ASGI application.

    Args:
        operations: of one path, each of another method.
        settings: limits and keys.
        lifecycle: counts the requests that are accepted.

    Attributes:
        path: as the API's document writes it.
        methods: that it has operations for.
    """

    def __init__(
        self, operations: Sequence[Operation], settings: ServerSettings, lifecycle: Lifecycle
    ) -> None:
        self.path = operations[0].path
        self._by_method = {operation.method: operation for operation in operations}
        self._decoders = {
            operation.method: msgspec.json.Decoder(operation.body)
            for operation in operations
            if operation.body is not None
        }
        self._settings, self._lifecycle = settings, lifecycle
        self._keys = [_digest(key.encode()) for key in settings.api_keys]

    @property
    def methods(self) -> list[str]:
        """The methods that it has operations for."""
        return [*self._by_method]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            EmpganError: what it failed with, if nothing was sent yet.
            ClientGoneError: the client went away; nothing more is to be sent.
        """
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        operation = self._by_method[method]
        call = Call(scope, self.path, self._settings.request_timeout_s)
        if not operation.open:
            self._check_key(call.headers)
        with nullcontext() if operation.open else self._lifecycle.request():
            body = None
            if method in self._decoders:
                check_form(call.headers)
                limits = self._settings.max_body_bytes, self._settings.body_timeout_s
                raw = await read_body(call.headers, receive, *limits)
                body = decode(raw, self._decoders[method])
            async with _while_connected(receive):
                await _answer(operation, call, body, send)

    def _check_key(self, headers: Headers) -> None:
        """Do nothing if a request may be answered; how long that takes tells nothing of a key.

        Raises:
            RefusedError: it has no key that is known.
        """
        if not self._keys:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        digest = _digest(given.strip().encode("utf-8", "surrogateescape"))
        # All of them are compared, whichever is equal; digests have no lengths to be told apart.
        equal = [hmac.compare_digest(digest, known) for known in self._keys]
        if scheme.lower() != "bearer" or not any(equal):
            raise RefusedError(
                401,
                "invalid_api_key",
                "give a key that this server knows, as `Authorization: Bearer KEY`",
                headers={"www-authenticate": "Bearer"},
            )


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


@asynccontextmanager
async def _while_connected(receive: Receive) -> AsyncIterator[None]:
    """Break off what is awaited inside when the client goes away.

    Raises:
        ClientGoneError: it did.
    """
    try:
        async with asyncio.timeout(None) as scope:
            watcher = asyncio.create_task(_end_when_gone(receive, scope))
            try:
                yield
            finally:
                watcher.cancel()
    except TimeoutError:
        if scope.expired():
            raise ClientGoneError from None
        raise


async def _end_when_gone(receive: Receive, scope: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.reschedule(asyncio.get_running_loop().time())


async def _answer(
    operation: Operation, call: Call, body: msgspec.Struct | None, send: Send
) -> None:
    """Answer a request.

    Raises:
        EmpganError: what it failed with, or that its time is over, if nothing was sent yet.
    """
    async with _in_time(call):
        answer = await operation.handler(call, body)
    if isinstance(answer, Answer):
        await send_whole(answer, send)
    else:
        await _send_events(answer, call, send)


@asynccontextmanager
async def _in_time(call: Call) -> AsyncIterator[None]:
    """Break off what is awaited inside when the time of a request is over.

    Raises:
        RefusedError: it is.
    """
    try:
        async with asyncio.timeout(call.left_s) as limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise late() from None
        raise


async def send_whole(answer: Answer, send: Send) -> None:
    """Send an answer in one piece."""
    body = answer.body
    headers = {
        "content-type": answer.content_type,
        "content-length": str(len(body)),
        **answer.headers,
    }
    await send(_start(answer.status, headers))
    await send({"type": "http.response.body", "body": body})


async def _send_events(stream: Stream, call: Call, send: Send) -> None:
    """Send a stream as it comes; once it has begun, an error is its last event."""
    headers = {
        "content-type": "text/event-stream; charset=utf-8",
        "x-accel-buffering": "no",  # or nginx keeps the events until the last
        **stream.headers,
    }
    has_begun = False
    async with aclosing(stream.events) as events:
        try:
            async with _in_time(call):
                async for data in events:
                    if not has_begun:
                        await send(_start(200, headers))
                        has_begun = True
                    await send(_part(data))
        except Exception as error:
            if not has_begun:
                raise
            await send(_part(stream.on_error(refusal_of(error).body())))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _start(status: int, headers: Mapping[str, str]) -> dict[str, object]:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}


def _part(data: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": True}
