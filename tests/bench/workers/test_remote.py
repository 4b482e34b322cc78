"""A server asked over HTTP: what is sent, what becomes of each request, what is no server."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from empgan_bench.workers.http import Client
from empgan_bench.workers.messages import Served
from empgan_bench.workers.remote import RemoteServer
from empgan_bench.workers.requests import Arrival
from empgan_rt.config import SearchConfig
from empgan_rt.errors import DependencyError, EmpganError, InputError
from empgan_rt.graph_spec import EOS
from support.scripted_server import Says, Script, ScriptedServer, scripted_server

SEARCH = SearchConfig(max_length=12)
DIALOGUES = [["one", "two", "three"], ["alone"]]
HELLO = Says(("hello", " there", " you"), tokens=5)


def ids_of(text: str) -> list[int]:
    return [len(word) for word in text.split()]


@contextmanager
def remote(script: Script, **options: Any) -> Iterator[tuple[ScriptedServer, RemoteServer]]:
    with scripted_server(script) as server, RemoteServer(server.url, ids_of, **options) as worker:
        worker.host(DIALOGUES, 32, 256)
        yield server, worker


def served(
    says: Says, times_ms: Sequence[float] = (0.0,), deadline_s: float | None = 60.0, **options: Any
) -> Served:
    with remote(lambda asked: says, **options) as (_, worker):
        return worker.serve([Arrival(at, 0) for at in times_ms], SEARCH, deadline_s)


def test_what_is_sent_is_what_openais_clients_send() -> None:
    with remote(lambda asked: HELLO, key="secret") as (server, worker):
        worker.serve([Arrival(0.0, 0), Arrival(1.0, 1)], SEARCH, None)
        assert worker.opened.versions == {"model": "first"}
    assert server.keys == ["Bearer secret"]
    # Two requests a millisecond apart may arrive in either order.
    (_, second), (path, first) = sorted(server.asked, key=lambda asked: len(asked[1]["messages"]))
    assert path == "/v1/chat/completions"
    roles = [(message["role"], message["content"]) for message in first.pop("messages")]
    assert roles == [("user", "one"), ("assistant", "two"), ("user", "three")]
    assert first == {
        **{"model": "first", "temperature": 0, "max_tokens": 12, "stream": True},
        "stream_options": {"include_usage": True},
    }
    assert [message["role"] for message in second["messages"]] == ["user"]


def test_a_fixed_length_is_asked_by_the_names_that_servers_have_for_it() -> None:
    fixed = dataclasses.replace(SEARCH, min_length=12, max_length=12)
    with remote(lambda asked: HELLO) as (server, worker):
        worker.serve([Arrival(0.0, 0)], fixed, None)
    ((_, asked),) = server.asked
    assert (asked["max_tokens"], asked["min_tokens"], asked["ignore_eos"]) == (12, 12, True)


@pytest.mark.parametrize("streams", [True, False])
def test_a_reply_is_timed_and_its_tokens_are_those_of_the_usage(streams: bool) -> None:
    found = served(HELLO._replace(pause_s=0.02), streams=streams)
    (request,) = found.requests
    assert (request.outcome, request.tokens, request.encoding_ms) == ("answered", 5, None)
    assert found.replies == [[5, 5, 3, EOS]]
    assert [piece.tokens for piece in request.pieces] == ([1, 1, 3] if streams else [5])
    assert request.ttft_ms is not None
    if streams:
        assert 20 <= request.ttft_ms <= request.e2e_ms
        assert request.ttft_ms == request.pieces[0].at_ms - request.scheduled_ms
        assert [piece.at_ms for piece in request.pieces] == sorted(p.at_ms for p in request.pieces)
        assert request.tpot_ms == pytest.approx(
            (request.pieces[2].at_ms - request.pieces[0].at_ms) / 4
        )
    else:
        assert request.tpot_ms is None


def test_without_a_usage_every_piece_is_a_token_and_a_cut_reply_has_no_end() -> None:
    found = served(Says(("so", " far"), reason="length"))
    assert found.requests[0].tokens == 2
    assert found.replies == [[2, 3]]


@pytest.mark.parametrize(
    ("says", "outcome", "error"),
    [
        (Says(status=429), "refused", "status 429"),
        (Says(status=503), "refused", "status 503"),
        (Says(status=504), "late", "status 504"),
        (Says(status=400), "failed", "status 400"),
        (Says(status=500), "failed", "status 500"),
        (Says(("so",), breaks=True), "failed", "127.0.0.1"),
        (Says(("so",), error=True), "failed", "in mid-stream"),
        (Says(("so",), reason=None), "failed", "broke off"),
    ],
)
def test_what_becomes_of_a_request(says: Says, outcome: str, error: str) -> None:
    (request,) = served(says).requests
    assert request.outcome == outcome
    assert error in request.error
    assert request.tokens == 0


@pytest.mark.parametrize("streams", [True, False])
def test_a_deadline_ends_a_request_and_the_next_one_is_answered(streams: bool) -> None:
    slow = iter([Says(("late",), pause_s=1.0), HELLO])
    with remote(lambda asked: next(slow), streams=streams) as (_, worker):
        (late,) = worker.serve([Arrival(0.0, 0)], SEARCH, 0.1).requests
        assert (late.outcome, late.tokens) == ("late", 0)
        assert worker.serve([Arrival(0.0, 0)], SEARCH, 60.0).requests[0].outcome == "answered"


def test_connections_are_kept_and_nobody_waits_for_others() -> None:
    with remote(lambda asked: HELLO._replace(pause_s=0.05)) as (server, worker):
        found = worker.serve([Arrival(float(at), 0) for at in range(4)], SEARCH, None)
        assert max(r.sent_ms for r in found.requests) < min(r.end_ms for r in found.requests)
        assert len(server.connections) == 4
        for _ in range(3):
            worker.serve([Arrival(0.0, 1)], SEARCH, None)
        assert len(server.connections) == 4


def test_the_servers_own_process_is_seen_on_this_machine() -> None:
    with remote(lambda asked: HELLO) as (_, worker):  # it serves from a thread of this process
        assert worker.cpu_s() > 0
        assert worker.rss_mib() > 1


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:80", "ftp://host", "http://", "http://host:no", "http://[", "http://h?a"]
)
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(InputError, match="--url"):
        RemoteServer(url, ids_of)


def test_what_is_no_server_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DependencyError, match=r"is no server of OpenAI's dialect: 127\.0\.0\.1"):
        RemoteServer(f"http://127.0.0.1:{port}", ids_of)
    with scripted_server(lambda asked: HELLO) as server:
        server.models_status = 401
        with pytest.raises(DependencyError, match="status 401"):
            RemoteServer(server.url, ids_of)
        with RemoteServer(f"{server.url}/v1/", ids_of, "mine") as named:  # and asks for no list
            assert named.opened.versions == {"model": "mine"}


def test_an_answer_that_is_no_http() -> None:
    async def shouts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-nonsense\r\n\r\n")
        writer.close()

    async def ask() -> None:
        async with await asyncio.start_server(shouts, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with Client(f"http://127.0.0.1:{port}").request("GET", "/"):
                pass

    with pytest.raises(EmpganError, match=r"^127\.0\.0\.1:\d+: "):
        asyncio.run(ask())
