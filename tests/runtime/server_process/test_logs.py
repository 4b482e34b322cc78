"""Lines of the log: one for each request, and nothing that a client wrote."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from empgan_rt.server.access_log import ENDPOINT, AccessLog
from empgan_rt.server.wordless import said_of, tell, without_words

WORD = "unmistakable"


def logged(inner: Any, caplog: pytest.LogCaptureFixture, method: str = "GET") -> list[str]:
    """Return what is logged when an application answers a request that is full of a word."""
    scope = {
        "type": "http",
        "client": ("192.0.2.1", 5),
        "method": method,
        "path": f"/{WORD}",
        "query_string": WORD.encode(),
        "headers": [(WORD.encode(), WORD.encode())],
    }

    async def nothing(message: Any = None) -> None:
        pass

    with caplog.at_level(logging.INFO, "empgan_rt.server.access_log"):
        asyncio.run(AccessLog(inner)(scope, nothing, nothing))
    return [record.getMessage() for record in caplog.records]


async def answers(scope: Any, receive: Any, send: Any) -> None:
    scope[ENDPOINT].append("/v1/sessions/{key}")
    headers = [(b"x-request-id", b"req_1"), (b"x", WORD.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": WORD.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b"!", "more_body": False})


async def answers_half(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"abc", "more_body": True})


def test_a_request_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = logged(answers, caplog)
    start, seconds, *end = line.rsplit(" ", 3)
    assert start == "192.0.2.1 GET /v1/sessions/{key} 200"
    assert float(seconds.removesuffix("s")) >= 0
    assert end == ["13B", "req_1"]


def test_methods_are_the_clients_words_too(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = logged(answers, caplog, method=WORD.upper())
    assert line.startswith("192.0.2.1 - /v1")


def test_a_client_that_left_is_told(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = logged(answers_half, caplog)
    assert line.startswith("192.0.2.1 GET - left ")
    assert line.endswith("s 3B -")


def test_nothing_is_measured_for_nobody(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("empgan_rt.server.access_log").setLevel(logging.WARNING)

    async def checks(scope: Any, receive: Any, send: Any) -> None:
        assert ENDPOINT not in scope

    try:
        asyncio.run(AccessLog(checks)({"type": "http"}, None, None))  # type: ignore[arg-type]
    finally:
        logging.getLogger("empgan_rt.server.access_log").setLevel(logging.NOTSET)


def raised() -> ValueError:
    try:
        raise ValueError(WORD)
    except ValueError as error:
        return error


def test_exceptions_are_told_without_their_words(caplog: pytest.LogCaptureFixture) -> None:
    assert said_of(raised()).startswith("ValueError in raised:")
    logger = logging.getLogger("tests.of_another_package")
    without_words(logger)
    without_words(logger)
    logger.error("it failed\n", exc_info=raised())
    logger.warning("noise")
    loop: Any = None
    tell(loop, {"message": f"Exception in callback f(b'{WORD}') at x.py:1", "exception": raised()})
    tell(loop, {"message": "Task was destroyed but it is pending!"})
    assert WORD not in caplog.text
    assert [record.getMessage().partition(" in raised")[0] for record in caplog.records] == [
        "it failed: ValueError",
        "Exception in callback f: ValueError",
        "Task was destroyed but it is pending!: no exception",
    ]
    assert len(logger.filters) == 1
