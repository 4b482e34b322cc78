"""Errors as HTTP tells them: a status, headers, and OpenAI's body.

    {"error": {"message": ..., "type": ..., "param": ..., "code": ...}}

OpenAI's clients ask again after 408, 409, 429 and every status from 500, unless `x-should-retry`
says "false". Hints of `EmpganError`s that are meant for who runs the server are not passed on, and
no message holds what was said.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping

import msgspec
from starlette.exceptions import HTTPException

from ..errors import DeadlineError, EmpganError, InputError, QueueFullError

NO_RETRY = {"x-should-retry": "false"}
_TYPES = {401: "authentication_error", 429: "rate_limit_error"}
_log = logging.getLogger(__name__)


class ErrorDetails(msgspec.Struct, frozen=True):
    """What is wrong: a sentence, and what programs tell errors apart by."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every answer that is an error, and the last event of a stream that fails."""

    error: ErrorDetails


class RefusedError(InputError):
    """A request that is answered with an error.

    Args:
        status: of HTTP.
        code: what programs tell errors apart by.
        message: one sentence for who asked.
        param: the field at fault, such as "messages[0].content"; None if it is none.
        headers: that the answer has besides.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.param = status, code, param
        self.headers = dict(headers or {})

    def body(self) -> ErrorBody:
        """Return the answer's body."""
        usual = "server_error" if self.status >= 500 else "invalid_request_error"
        message = self.message.encode("utf-8", "backslashreplace").decode()
        kind = _TYPES.get(self.status, usual)
        return ErrorBody(ErrorDetails(message, kind, self.param, self.reason))


def bad_request(code: str, message: str, param: str | None = None) -> RefusedError:
    """Return the refusal of a request that is not acceptable."""
    return RefusedError(400, code, message, param=param)


def shutting_down() -> RefusedError:
    """Return the refusal of a request that comes too late to be answered."""
    headers = {"retry-after": "1", "connection": "close"}
    return RefusedError(503, "shutting_down", "the server is shutting down", headers=headers)


def late() -> RefusedError:
    """Return the refusal of a request whose time is over."""
    return RefusedError(504, "deadline", "no reply within the time allowed", headers=NO_RETRY)


def refusal_of(error: Exception) -> RefusedError:
    """Return how an error is told; what is nobody's fault but ours is logged, without its words."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, QueueFullError):
        return RefusedError(
            429,
            "overloaded",
            "as many requests are waiting as may; ask again later",
            headers={"retry-after": "1"},
        )
    if isinstance(error, DeadlineError):
        return late()
    if isinstance(error, InputError):
        return bad_request("invalid_value", str(error))
    code = error.code if isinstance(error, EmpganError) else "internal"
    _log.error("a request failed: %s in %s", type(error).__name__, _place(error))
    return RefusedError(500, code, "the server failed to answer this request")


def _of_http(error: HTTPException) -> RefusedError:
    codes = {404: "not_found", 405: "method_not_allowed"}
    said = {404: "there is no such path; the API is described at /openapi.json"}
    code = codes.get(error.status_code, "invalid_request")
    message = said.get(error.status_code, error.detail)
    return RefusedError(error.status_code, code, message, headers=error.headers)


def _place(error: Exception) -> str:
    """Return where an error was raised, without its message, which may hold words of a dialogue."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-4:]))
