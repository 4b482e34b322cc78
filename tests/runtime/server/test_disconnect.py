"""A client that goes away, over real connections: the model takes no step more for it.

The backend takes a step only when it is let. So the client leaves while one is under way, and what
begins after the application has noticed that is counted, however slow the machine.
"""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from empgan_rt import AsyncResponder
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.server import app
from support.gated_backend import GatedBackend
from support.loopback import PATIENCE_S, served, wait_until
from support.observing import Recorder

SAID = "I lost my keys today."
MESSAGES = [{"role": "user", "content": SAID}]
LONG = {"ignore_eos": True, "max_tokens": 100, "max_output_tokens": 100}
SAMPLED = {"temperature": 1.0, "seed": 1}
SEARCH = {"min_length": 100, "max_length": 100}
CASES = {
    "chat": ("/v1/chat/completions", {"messages": MESSAGES, **LONG}),
    "chat in pieces": ("/v1/chat/completions", {"messages": MESSAGES, **LONG, "stream": True}),
    "responses": ("/v1/responses", {"input": SAID, **LONG}),
    "responses in pieces": ("/v1/responses", {"input": SAID, **LONG, "stream": True}),
    "reply": ("/v1/reply", {"turns": [SAID], "search": SEARCH}),
    "reply in pieces": ("/v1/reply", {"turns": [SAID], "search": SEARCH, "stream": True}),
    "session": ("/v1/sessions/anna", {"text": SAID}),
    "session in pieces": ("/v1/sessions/anna", {"text": SAID, "stream": True}),
}
Served = tuple[GatedBackend, AsyncResponder, Recorder, tuple[str, int]]


@pytest.fixture
def gated(tiny_bundle: Bundle) -> Iterator[Served]:
    import asyncio

    backend, recorder = GatedBackend(OrtBackend(tiny_bundle)), Recorder()
    responder = AsyncResponder(tiny_bundle, backend)  # type: ignore[arg-type]
    with served(app(responder, observer=recorder)) as address:
        yield backend, responder, recorder, address
        backend.open_for_all()
    asyncio.run(responder.aclose())


def ask(address: tuple[str, int], path: str, body: dict[str, Any]) -> socket.socket:
    """Return a connection over which a request was sent."""
    connection = socket.create_connection(address, timeout=PATIENCE_S)
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"content-length: {len(data)}\r\n\r\n"
    )
    connection.sendall(head.encode() + data)
    return connection


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("how", ["close", "half"])
def test_no_step_begins_for_a_client_that_left(gated: Served, case: str, how: str) -> None:
    backend, responder, recorder, address = gated
    connection = ask(address, *CASES[case])
    backend.let(2)
    wait_until(lambda: backend.begun == 3)  # the third is under way
    if how == "close":
        connection.close()
    else:
        connection.shutdown(socket.SHUT_WR)
    assert recorder.over.wait(PATIENCE_S)
    backend.open_for_all()
    wait_until(lambda: responder._executor.is_idle)
    assert backend.begun == 3
    assert [each.finished_reason for each in recorder.finished_ones] == ["abort"]
    connection.close()


@pytest.mark.parametrize(
    "count", [pytest.param(200, marks=pytest.mark.slow), pytest.param(1000, marks=pytest.mark.soak)]
)
def test_many_leave_one_after_the_other(gated: Served, count: int) -> None:
    backend, responder, recorder, address = gated
    dice = random.Random(count)
    for number in range(count):
        before = backend.begun
        path, body = CASES[dice.choice([*CASES])]
        if dice.random() < 0.5 and "max_tokens" in body:
            body = {**body, **SAMPLED}
        connection = ask(address, path, body)
        taken = dice.randrange(6 if "text" not in body else 3)  # a session's reply may be short
        for _ in range(taken):
            backend.let(1)
        wait_until(lambda until=before + taken + 1: backend.begun == until)
        if dice.random() < 0.5:
            connection.close()
        else:
            connection.shutdown(socket.SHUT_WR)
        wait_until(lambda until=number + 1: len(recorder.finished_ones) == until)
        backend.let(1)
        wait_until(lambda: responder._executor.is_idle)
        assert backend.begun == before + taken + 1
        connection.close()
    assert {each.finished_reason for each in recorder.finished_ones} == {"abort"}


def test_a_stream_whose_reader_leaves_in_the_middle_ends(gated: Served) -> None:
    backend, responder, recorder, address = gated
    path, body = CASES["chat in pieces"]
    connection = ask(address, path, {**body, **SAMPLED})
    backend.let(5)
    wait_until(lambda: backend.begun == 6)
    assert b"200 OK" in connection.recv(100)
    connection.close()
    assert recorder.over.wait(PATIENCE_S)
    backend.open_for_all()
    wait_until(lambda: responder._executor.is_idle)
    assert backend.begun == 6


def test_a_piece_is_sent_before_the_next_step_is_taken(gated: Served) -> None:
    backend, _, recorder, address = gated
    path, body = CASES["chat in pieces"]
    connection = ask(address, path, {**body, **SAMPLED, "max_tokens": 3})
    received = b""
    for step in (1, 2, 3):
        backend.let(1)
        while received.count(b'"content":"') < step + 1:  # one is the role's
            received += connection.recv(10_000)
        assert backend.begun <= step + 1
    while b"[DONE]" not in received:
        received += connection.recv(10_000)
    assert len(recorder.first_tokens) == 1
    connection.close()


def test_those_who_stay_are_answered(gated: Served) -> None:
    backend, _, recorder, address = gated
    path, body = CASES["reply"]
    leaving = [ask(address, path, body) for _ in range(5)]
    staying = ask(address, path, {"turns": [SAID]})
    backend.let(1)
    wait_until(lambda: len(recorder.accepted_ones) == 6)
    for connection in leaving:
        connection.close()
    wait_until(lambda: len(recorder.finished_ones) == 5)
    backend.open_for_all()
    assert b"200 OK" in staying.recv(1000)
    reasons = sorted(each.finished_reason for each in recorder.finished_ones)
    assert reasons == ["abort"] * 5 + ["stop"]
    staying.close()


def test_a_client_that_leaves_while_it_waits_for_another_message_gets_no_reply(
    gated: Served,
) -> None:
    backend, responder, recorder, address = gated
    path, body = CASES["session"]
    first = ask(address, path, body)
    wait_until(lambda: backend.begun == 1)
    second = ask(address, path, {"text": "I have looked everywhere."})
    wait_until(lambda: len(recorder.accepted_ones) == 2)
    second.close()
    wait_until(lambda: len(recorder.finished_ones) == 1)
    backend.open_for_all()
    assert b"200 OK" in first.recv(1000)
    wait_until(lambda: responder._executor.is_idle)
    assert [each.finished_reason for each in recorder.finished_ones] == ["abort", "stop"]
    assert backend.encodes == 1
    first.close()
