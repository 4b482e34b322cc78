"""Bodies that are too long, too slow, not JSON, or not whole; and requests whose time is over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from empgan_rt import AsyncResponder, InputError
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.server import ServerSettings, app
from support.asgi_calls import Answered, Receive, call, parts
from support.counting_backend import counting_async
from support.observing import Recorder

REPLY = "/v1/reply"
GOOD = b'{"turns": ["I lost my keys."]}'
SLOW = b'{"turns": ["I lost my keys."], "search": {"min_length": 200, "max_length": 200}%s}'


def answer(
    responder: AsyncResponder,
    receive: Receive,
    headers: dict[str, str] | None = None,
    recorder: Recorder | None = None,
    **settings: Any,
) -> Answered:
    observer = Recorder() if recorder is None else recorder
    made = app(responder, settings=ServerSettings(**settings), observer=observer)
    return asyncio.run(call(made, REPLY, receive, headers=headers or {}))


def code(answered: Answered) -> str:
    return str(answered.json()["error"]["code"])


def test_a_body_in_parts_is_read(responder: AsyncResponder) -> None:
    pieces = [GOOD[:5], b"", GOOD[5:20], GOOD[20:]]
    assert answer(responder, parts(*pieces)).status == 200


def test_a_body_that_says_it_is_too_long_is_not_read(responder: AsyncResponder) -> None:
    async def receive() -> Any:
        raise AssertionError("it was read")

    for length in ("1048577", "9" * 5000):
        answered = answer(responder, receive, {"content-length": length})
        assert (answered.status, code(answered)) == (413, "body_too_long")
        assert answered.headers["connection"] == "close"


def test_a_body_that_turns_out_too_long_is_not_read_on(responder: AsyncResponder) -> None:
    receive = parts(b'{"turns": ["', b"a" * 50, b"b" * 50, then="stop")
    answered = answer(responder, receive, max_body_bytes=100)
    assert (answered.status, answered.headers["connection"]) == (413, "close")


def test_the_longest_body_is_read(responder: AsyncResponder) -> None:
    exact = GOOD + b" " * (100 - len(GOOD))
    assert answer(responder, parts(exact), max_body_bytes=100).status == 200
    assert answer(responder, parts(exact + b" "), max_body_bytes=100).status == 413


def test_a_slow_body_is_given_up(responder: AsyncResponder) -> None:
    answered = answer(responder, parts(GOOD[:9], then="stop"), body_timeout_s=0.05)
    assert (answered.status, code(answered)) == (408, "body_timeout")
    assert answered.headers["connection"] == "close"
    assert answered.headers["x-should-retry"] == "false"


def test_a_client_that_leaves_in_its_body_gets_nothing(responder: AsyncResponder) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    recorder = Recorder()
    assert answer(responder, receive, recorder=recorder).status == 0
    assert recorder.refused_ones == recorder.accepted_ones == []


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": ""},
        {"content-type": "application/jsonp"},
        {"content-encoding": "gzip"},
    ],
)
def test_what_is_not_sent_as_json_is_not_read(
    responder: AsyncResponder, headers: dict[str, str]
) -> None:
    answered = answer(responder, parts(GOOD), headers)
    assert (answered.status, code(answered)) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"]
)
def test_json_by_another_name_is_read(responder: AsyncResponder, kind: str) -> None:
    assert answer(responder, parts(GOOD), {"content-type": kind}).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        GOOD[:-1],
        GOOD + b"}",
        b"\xff",
        b"\xef\xbb\xbf" + GOOD,
        b'{"turns": ["\xff"]}',
        b'{"turns": ["\\ud800"]}',
        b'{"turns": ["a\x00b"]}',
        b'{"ignored": "\xff", "turns": ["Hello."]}',
        b'{"turns": [NaN]}',
        b'{"turns": ' + b"[" * 100_000,
        b'{"ignored": ' + b"[" * 100_000,
        b'{"ignored": ' + b'{"a":' * 100_000,
        b'{"search": {"seed": ' + b"9" * 5000 + b"}}",
        b'{"search": {"temperature": 1e999}}',
        b"[]",
        b"null",
        b'"turns"',
        b"3",
    ],
)
def test_what_is_not_json_of_the_form_is_refused(responder: AsyncResponder, body: bytes) -> None:
    answered = answer(responder, parts(body))
    assert (answered.status, code(answered) in ("invalid_json", "invalid_value")) == (400, True)


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "soon", "", "1e-400", "1" * 5000])
def test_a_time_limit_must_be_one(responder: AsyncResponder, given: str) -> None:
    answered = answer(responder, parts(GOOD), {"x-request-timeout": given})
    assert answered.status == 400
    assert answered.json()["error"]["param"] == "x-request-timeout"


@pytest.mark.parametrize(
    ("asked", "setting"), [("0.05", None), (None, 0.05), ("60", 0.05), ("0.05", 60.0)]
)
def test_a_reply_that_takes_too_long_is_given_up(asked: str | None, setting: float | None) -> None:

    async def main() -> None:
        slow, backend = counting_async(Bundle.open("tiny"), pause_s=0.02)
        headers = {} if asked is None else {"x-request-timeout": asked}
        recorder = Recorder()
        made = app(slow, settings=ServerSettings(request_timeout_s=setting), observer=recorder)
        async with slow:
            answered = await call(made, REPLY, parts(SLOW % b""), headers=headers)
            assert (answered.status, code(answered)) == (504, "deadline")
            assert answered.headers["x-should-retry"] == "false"
            streamed = await call(made, REPLY, parts(SLOW % b', "stream": true'), headers=headers)
            assert b"deadline" in streamed.body
            assert streamed.is_whole
            while not slow._executor.is_idle:
                await asyncio.sleep(0.001)
            assert backend.steps < 100
        assert [each.finished_reason for each in recorder.finished_ones] == ["error", "error"]

    asyncio.run(main())


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_body_bytes": 0},
        {"body_timeout_s": 0.0},
        {"body_timeout_s": float("inf")},
        {"request_timeout_s": -1.0},
        {"limit_sessions": 0},
        {"session_ttl_s": 0.0},
        {"api_keys": ("",)},
        {"api_keys": (" key",)},
        {"api_keys": ("k\xe9y",)},
        {"api_keys": ("a\nb",)},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        ServerSettings(**wrong)


def test_keys_are_not_shown() -> None:
    assert "hush" not in repr(ServerSettings(api_keys=("hush",)))
