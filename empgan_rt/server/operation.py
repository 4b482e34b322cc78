"""What the API consists of: operations, what goes into them, and what comes out.

One table of these makes both the routes and the document that describes them.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import HTTPConnection
from starlette.types import Scope

from .refusal import ErrorBody, bad_request, late

TIMEOUT_HEADER = "x-request-timeout"


class Call:
    """One request, without its body.

    Args:
        scope: of ASGI.
        endpoint: the path as the API's document writes it.
        most_s: most seconds that it may take; None for no limit.

    Attributes:
        endpoint: as given.
        began: of `time.perf_counter()`.
        path_params, query: parts of its address.

    Raises:
        RefusedError: it asks for a time limit that is none.
    """

    def __init__(self, scope: Scope, endpoint: str, most_s: float | None) -> None:
        connection = HTTPConnection(scope)
        self.endpoint = endpoint
        self.began = time.perf_counter()
        self.headers = connection.headers
        self.path_params: Mapping[str, str] = connection.path_params
        self.query: Mapping[str, str] = connection.query_params
        self._timeout_s = _timeout(self.headers.get(TIMEOUT_HEADER), most_s)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request's head was read."""
        return time.perf_counter() - self.began

    @property
    def is_late(self) -> bool:
        """Whether the time of this request is over."""
        return self._timeout_s is not None and self.elapsed_s >= self._timeout_s

    @property
    def left_s(self) -> float | None:
        """Seconds until the answer must be there; None for no limit.

        Raises:
            RefusedError: they are over.
        """
        if self._timeout_s is None:
            return None
        if self.is_late:
            raise late()
        return self._timeout_s - self.elapsed_s


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    Attributes:
        document: what msgspec can write as JSON; bytes are sent as they are.
        status: of HTTP.
        headers: besides those that every answer has.
        content_type: of the body.
    """

    document: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    @property
    def body(self) -> bytes:
        """The bytes to send."""
        if isinstance(self.document, bytes):
            return self.document
        return msgspec.json.encode(self.document)


@dataclass(frozen=True)
class Stream:
    """An answer in pieces: server-sent events.

    Attributes:
        events: whole events, one or several at a time. The first ones come when it is certain that
            the request is accepted; an error before them has a status of its own.
        on_error: makes the last events of a stream that fails, of an error's body.
        headers: as of an `Answer`.
    """

    events: AsyncGenerator[bytes, None]
    on_error: Callable[[ErrorBody], bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call, Any], Awaitable[Answer | Stream]]


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    Attributes:
        method: of HTTP.
        path: with parameters in braces, such as "/v1/sessions/{key}".
        handler: gets the call and its body, None for one without.
        name: that programs know it by.
        summary: one sentence for people.
        answers: the struct of its answer; None for one that is not JSON.
        body: the struct of its body; None for none.
        events: the struct of each event, if it can stream; bodies have a field `stream` then.
        query: names of parameters behind the path's "?", and what they mean.
        errors: statuses of errors of its own, besides those of every operation.
        open: whether it is there for everybody: without a key, and while the server drains.
    """

    method: str
    path: str
    handler: Handler
    name: str
    summary: str
    answers: Any
    body: type[msgspec.Struct] | None = None
    events: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[int, ...] = ()
    open: bool = False


def event(document: Any, name: str = "") -> bytes:
    """Return a server-sent event; the blank line ends it, without which clients lose the last."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + msgspec.json.encode(document) + b"\n\n"


def _timeout(asked: str | None, most_s: float | None) -> float | None:
    """Return the seconds that a request may take.

    Raises:
        RefusedError: what the client asks for are no seconds.
    """
    if asked is None:
        return most_s
    try:
        seconds = float(asked)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise bad_request("invalid_value", "give seconds above 0", TIMEOUT_HEADER)
    return seconds if most_s is None else min(seconds, most_s)
