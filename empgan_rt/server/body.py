"""The body of a request: read within limits of size and time, and decoded into a struct.

Structs say what is accepted: types, ranges, counts. Fields that they do not know are ignored.
msgspec refuses what is nested too deep, and numbers that no float64 holds.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec
from starlette.datastructures import Headers
from starlette.types import Receive

from .refusal import NO_RETRY, RefusedError, bad_request

Body = TypeVar("Body", bound=msgspec.Struct)
CLOSE = {"connection": "close"}


class ClientGoneError(Exception):
    """The client is not there any more; nobody is told, since nobody listens."""


def check_form(headers: Headers) -> None:
    """Do nothing if a body may be read as JSON.

    A page of another origin cannot send this content type without asking, so it cannot make a
    browser talk to a server without keys.

    Raises:
        RefusedError: it says that it is something else.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise RefusedError(
            415,
            "unsupported_media_type",
            "the body must be sent as application/json",
            headers=CLOSE,
        )
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise RefusedError(
            415, "unsupported_media_type", "the body must not be compressed", headers=CLOSE
        )


async def read_body(headers: Headers, receive: Receive, most: int, timeout_s: float) -> bytes:
    """Return the whole body.

    Args:
        headers: of the request.
        receive: of ASGI.
        most: bytes.
        timeout_s: from now until it must be there.

    Raises:
        RefusedError: it is longer, or slower; the rest is unread, so the connection is to close.
        ClientGoneError: the client went away before its end.
    """
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > most:
        raise _too_long(most)
    parts, size = [], 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                part = message.get("body", b"")
                parts.append(part)
                size += len(part)
                if size > most:
                    raise _too_long(most)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise RefusedError(
            408,
            "body_timeout",
            f"the body took longer than {timeout_s:g} s to arrive",
            headers=CLOSE | NO_RETRY,
        ) from None


def decode(raw: bytes, decoder: msgspec.json.Decoder[Body]) -> Body:
    """Return a body as a struct.

    Raises:
        RefusedError: it is not JSON in UTF-8, nested too deep, or not what the struct says.
    """
    try:
        return decoder.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise bad_request("invalid_json", "the body is not UTF-8") from None
    except RecursionError:
        raise bad_request("invalid_json", "the body is nested too deep") from None
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except msgspec.DecodeError as error:
        raise bad_request("invalid_json", f"the body is not JSON: {error}") from None


def _too_long(most: int) -> RefusedError:
    return RefusedError(
        413, "body_too_long", f"the body is longer than {most:,} bytes", headers=CLOSE | NO_RETRY
    )


def _invalid(said: str) -> RefusedError:
    """Return the refusal of a body that is JSON, of what msgspec says of it.

    That reads "Expected `str`, got `int` - at `$.messages[0].role`".
    """
    what, _, place = said.partition(" - at ")
    if what.startswith("Invalid enum value"):  # and the value, which may be somebody's words
        what = "a value that is none of those allowed"
    param = place.strip("`").removeprefix("$").removeprefix(".") or None
    return bad_request("invalid_value", what if param is None else f"{what}, at {param}", param)
