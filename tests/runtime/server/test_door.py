"""What holds for every request: ids, keys, errors as JSON, no words in logs, drained servers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from empgan_rt import (
    AsyncResponder,
    AsyncSession,
    Chunk,
    DivergenceError,
    ProviderError,
    SessionPool,
)
from empgan_rt.server import ServerSettings, app
from empgan_rt.server.lifecycle import Lifecycle
from support.asgi_calls import call, parts
from support.event_streams import documents
from support.observing import Recorder

SECRET = "Nobody may know that I stole a horse"
CHAT = "/v1/chat/completions"
POSTS = (CHAT, "/v1/responses", "/v1/reply", "/v1/sessions/somebody")
BODY = {
    "messages": [{"role": "user", "content": SECRET}],
    "input": SECRET,
    "turns": [SECRET],
    "text": SECRET,
}


def body_of(path: str) -> dict[str, Any]:
    """Return a body that a path accepts; what it has for others would be ignored but for `text`."""
    return {k: v for k, v in BODY.items() if k != "text" or "sessions" in path}


class Failing:
    """A responder whose replies fail, in a stream after one piece."""

    def __init__(self, inner: AsyncResponder, error: Exception) -> None:
        self._inner, self._error = inner, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def reply(self, *arguments: object, **settings: object) -> Any:
        raise self._error

    async def stream(self, *arguments: object, **settings: object) -> AsyncGenerator[Chunk, None]:
        yield Chunk("I", tokens=1)
        raise self._error

    def session(self, *arguments: Any, **settings: Any) -> AsyncSession:
        return AsyncSession(self, *arguments, **settings)

    def sessions(self, *arguments: Any, **settings: Any) -> SessionPool:
        return SessionPool(self, *arguments, **settings)


def test_every_answer_has_an_id(client: TestClient) -> None:
    answers = [
        client.get("/health"),
        client.get("/nowhere"),
        client.put("/v1/models"),
        client.post(CHAT, json=BODY),
        client.post(CHAT, content=b"{"),
        client.post(CHAT, json={**BODY, "stream": True}),
    ]
    assert all(answer.headers["x-request-id"].startswith("req_") for answer in answers)
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("abc-1", True), ("a" * 128, True), ("a" * 129, False), ("a b", False), ("a%0Ab", False)],
)
def test_a_clients_own_id_is_kept_if_it_can_be_logged(
    client: TestClient, given: str, is_kept: bool
) -> None:
    answer = client.get("/nowhere", headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) is is_kept


def test_what_is_not_there_is_told_as_json(client: TestClient, recorder: Recorder) -> None:
    for path in ("/nowhere", "/v1/", "/v1/chat/completions/", "/chat/completions", "/v1/sessions/"):
        answer = client.post(path, json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    answer = client.get(CHAT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    assert {*client.put("/v1/sessions/a").headers["allow"].split(", ")} == {
        "GET",
        "HEAD",
        "POST",
        "DELETE",
    }
    assert client.head("/health").status_code == 200
    assert ("", 404, "not_found") in recorder.refused_ones
    assert (CHAT, 405, "method_not_allowed") in recorder.refused_ones


def test_it_can_be_mounted(responder: AsyncResponder) -> None:
    outer = TestClient(Starlette(routes=[Mount("/bot", app(responder))]))
    assert outer.post("/bot/v1/reply", json=BODY).status_code == 200
    assert outer.get("/bot/nowhere").json()["error"]["code"] == "not_found"
    assert outer.get(f"/bot{CHAT}").json()["error"]["code"] == "method_not_allowed"


def test_keys_are_asked_for(make_client: Any, recorder: Recorder) -> None:
    client = make_client(api_keys=("first-key", "second-key"))
    for header in (None, "Bearer", "Bearer wrong", "Basic first-key", "Bearer first-keyy", "\xfc"):
        headers = {} if header is None else {"authorization": header.encode("latin-1")}
        for method, path in (("POST", CHAT), ("GET", "/v1/models"), ("GET", "/metrics")):
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "invalid_api_key"
            assert answer.headers["www-authenticate"] == "Bearer"
    for key in ("first-key", "second-key"):
        answer = client.post(CHAT, json=BODY, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200
    lower = client.get("/v1/models", headers={"authorization": "bearer first-key"})
    assert lower.status_code == 200
    for path in ("/health", "/ready", "/openapi.json"):
        assert client.get(path).status_code == 200
    assert not recorder.accepted_ones[2:]


def test_a_body_is_not_read_of_whom_has_no_key(responder: AsyncResponder) -> None:
    async def main() -> None:
        async def receive() -> Any:
            raise AssertionError("the body was read")

        answered = await call(
            app(responder, settings=ServerSettings(api_keys=("k",))), CHAT, receive
        )
        assert answered.status == 401

    asyncio.run(main())


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError(SECRET), 500, "internal"),
        (UnicodeEncodeError("utf-8", SECRET, 0, 1, SECRET), 500, "internal"),
        (DivergenceError("NaN"), 500, "divergence"),
        (ProviderError("a step was broken off", hint="ask again"), 500, "provider"),
    ],
)
def test_what_fails_inside_is_told_without_words_of_the_dialogue(
    responder: AsyncResponder,
    recorder: Recorder,
    caplog: pytest.LogCaptureFixture,
    path: str,
    error: Exception,
    status: int,
    code: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    made = TestClient(app(Failing(responder, error), observer=recorder))  # type: ignore[arg-type]
    answer = made.post(path, json=body_of(path))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert recorder.finished_ones[-1].finished_reason == "error"
    assert [each[1:] for each in recorder.refused_ones] == [(status, code)]
    streamed = made.post(path, json={**body_of(path), "stream": True})
    assert streamed.status_code == 200
    last = documents(streamed.text)[-1]
    assert last["error"]["code"] == code
    assert type(error).__name__ in caplog.text
    for told in (answer.text, streamed.text, caplog.text):
        assert "horse" not in told


@pytest.mark.parametrize("path", POSTS)
def test_errors_and_logs_hold_no_words_of_the_dialogue(
    client: TestClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.DEBUG)
    spoilt = [
        {**body_of(path), "model": 3},
        {"messages": SECRET, "input": {"a": SECRET}, "turns": SECRET, "text": [SECRET]},
        {"messages": [{"role": SECRET, "content": SECRET}], "input": [{"role": SECRET}]},
        {"messages": [{"role": "user", "content": SECRET, "emotion": SECRET}]},
        {"turns": [{"text": SECRET, "emotion": SECRET}], "input": [{"emotion": SECRET}]},
        {**body_of(path), "search": {"seed": SECRET}, "stop": [SECRET * 40], "emotion": SECRET},
        {**body_of(path), "stream": SECRET},
        {**body_of(path), "bad_words": [SECRET], "search": {"banned_words": [SECRET]}},
        {SECRET: SECRET},
    ]
    for body in spoilt:
        answer = client.post(path, json=body)
        assert "horse" not in answer.text or answer.status_code == 200
    assert "horse" not in caplog.text


def test_a_server_that_drains_finishes_and_refuses(responder: AsyncResponder) -> None:
    async def main() -> None:
        lifecycle = Lifecycle()
        made = app(responder, lifecycle=lifecycle)
        body = b'{"turns": ["I lost my keys."], "search": {"min_length": 30}}'
        running = asyncio.create_task(call(made, "/v1/reply", parts(body)))
        while not lifecycle.running:
            await asyncio.sleep(0)
        assert not await lifecycle.wait_idle(0.0)
        lifecycle.drain()
        refused = await call(made, "/v1/reply", parts(body))
        assert (refused.status, refused.json()["error"]["code"]) == (503, "shutting_down")
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
        assert (await call(made, "/ready", parts(b""), method="GET")).status == 503
        assert (await call(made, "/health", parts(b""), method="GET")).status == 200
        assert await lifecycle.wait_idle()
        assert (await running).status == 200
        assert lifecycle.running == 0

    asyncio.run(main())


def test_a_server_that_leaves_says_so_and_answers(responder: AsyncResponder) -> None:
    async def main() -> None:
        lifecycle = Lifecycle()
        made = app(responder, lifecycle=lifecycle)
        lifecycle.leave()
        ready = await call(made, "/ready", parts(b""), method="GET")
        assert (ready.status, ready.json()) == (503, {"status": "shutting_down"})
        assert (await call(made, "/v1/reply", parts(b'{"turns": ["Hello."]}'))).status == 200
        lifecycle.drain()
        assert lifecycle.is_leaving

    asyncio.run(main())


def test_a_model_that_was_closed_is_not_ready() -> None:
    async def main() -> None:
        closed = AsyncResponder.load("tiny")
        made = app(closed)
        assert (await call(made, "/ready", parts(b""), method="GET")).status == 200
        await closed.aclose()
        assert (await call(made, "/ready", parts(b""), method="GET")).status == 503
        answered = await call(made, "/v1/reply", parts(b'{"turns": ["Hello."]}'))
        assert (answered.status, answered.json()["error"]["code"]) == (503, "shutting_down")

    asyncio.run(main())


def test_a_full_queue_is_told() -> None:
    async def main() -> None:
        async with AsyncResponder.load("tiny", max_batch=1, max_queue=0) as narrow:
            made = app(narrow)
            body = b'{"turns": ["I lost my keys."], "search": {"min_length": 30}}'
            asked = [call(made, "/v1/reply", parts(body)) for _ in range(4)]
            found = await asyncio.gather(*asked)
            assert sorted(answered.status for answered in found) == [200, 429, 429, 429]
            [*_, refused] = sorted(found, key=lambda answered: answered.status)
            assert refused.headers["retry-after"] == "1"
            assert refused.json()["error"]["code"] == "overloaded"
            assert "max_queue" not in refused.json()["error"]["message"]

    asyncio.run(main())


def test_pages_of_other_origins_may_not_call(client: TestClient, make_client: Any) -> None:
    origin = {"origin": "https://example.org"}
    assert "access-control-allow-origin" not in client.get("/health", headers=origin).headers
    open_to_one = make_client(cors_origins=("https://example.org",))
    answer = open_to_one.get("/nowhere", headers=origin)
    assert answer.headers["access-control-allow-origin"] == "https://example.org"
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    asked = {
        **origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-lang",
    }
    preflight = open_to_one.options(CHAT, headers=asked)
    assert preflight.status_code == 200
    assert "x-stainless-lang" in preflight.headers["access-control-allow-headers"]
    other = open_to_one.get("/health", headers={"origin": "https://example.com"})
    assert "access-control-allow-origin" not in other.headers


def test_metrics_are_the_observers(client: TestClient, responder: AsyncResponder) -> None:
    answer = client.get("/metrics")
    assert answer.text == "# nothing\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert TestClient(app(responder)).get("/metrics").status_code == 404
