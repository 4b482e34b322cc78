"""Slow and hostile connections, each of which the server closes by itself."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from support.served import Served, answer, request, served_alone, wait_until, whole

HEADER_BYTES = 64 << 10


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with served_alone(HEADER_S=0.3, KEEP_ALIVE_S=1, READER_S=0.3, TICKS=1) as served:
        yield served


def is_alive(served: Served) -> bool:
    return served.ask(request("/", "connection: close")).endswith(b"ok")


def trickle(client: socket.socket) -> None:
    """Send a byte every tenth of a second until the server closes the connection."""
    client.settimeout(0.1)
    with suppress(ConnectionError):
        for _ in range(600):
            client.sendall(b"x")
            with suppress(TimeoutError):
                assert client.recv(1) == b""
                return
        pytest.fail("the server never closed")


@pytest.mark.parametrize(
    "begun",
    [b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: a\r\nx: "],
    ids=["nothing", "a letter", "a line", "half a header"],
)
def test_a_header_that_is_not_completed_is_not_waited_for(served: Served, begun: bytes) -> None:
    assert served.ask(begun) == b""
    assert is_alive(served)


def test_a_header_that_trickles_is_not_waited_for(served: Served) -> None:
    with served.connect() as client:
        trickle(client)


def test_a_second_header_on_a_kept_connection_has_no_more_time(served: Served) -> None:
    with served.connect() as client:
        client.sendall(request("/"))
        assert answer(client)[0] == 200
        client.sendall(b"GET / HT")
        assert whole(client) == b""


def test_a_request_that_takes_longer_than_a_header_may_is_answered(served: Served) -> None:
    slow = request("/wait", "x-wait: 1", "connection: close", method="POST", body=b"abc")
    assert served.ask(slow).endswith(b"\r\n\r\n3")


@pytest.mark.parametrize("steps", [1, 100])
def test_long_headers_are_refused(served: Served, steps: int) -> None:
    long = b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * (HEADER_BYTES + (20 << 10)) + b"\r\n\r\n"
    size = len(long) // steps + 1
    with served.connect() as client:
        for at in range(0, len(long), size):
            client.sendall(long[at : at + size])
        status, headers, body = answer(client)
        assert status == 431
        assert headers["connection"] == "close"
        assert json.loads(body)["error"]["code"] == "headers_too_long"
        assert whole(client) == b""


def test_headers_of_nearly_64_kib_are_read(served: Served) -> None:
    many = [f"x-{number}: {'a' * 1000}" for number in range(62)]
    assert b"200 OK" in served.ask(request("/", "connection: close", *many))


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # TLS to a port without
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"GET  /  HTTP/9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno host\r\n\r\n",
        b"\r\n\r\n\r\n",
    ],
    ids=["TLS", "a length of x", "two lengths", "version 9", "no colon", "blank lines"],
)
def test_what_is_no_http_is_refused(served: Served, nonsense: bytes) -> None:
    head, _, body = served.ask(nonsense).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


def test_a_broken_body_ends_its_request(served: Served) -> None:
    head = b"POST /wait HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    assert b" 400 " in served.ask(head + b"5\r\nhello\r\nnonsense\r\n")
    assert is_alive(served)


def test_connections_are_kept_and_then_closed(served: Served) -> None:
    with served.connect() as client:
        for _ in range(3):
            client.sendall(request("/"))
            assert answer(client)[2] == b"ok"
        assert whole(client) == b""  # after a second


def test_requests_in_a_row_without_waiting_are_answered_in_order(served: Served) -> None:
    bodies = [b"a" * length for length in (1, 2, 3)]
    sent = b"".join(request("/wait", method="POST", body=body) for body in bodies)
    with served.connect() as client:
        client.sendall(sent + request("/", "connection: close"))
        assert [line[-1:] for line in whole(client).split(b"HTTP/1.1 200 OK")[1:]] == [
            b"1",
            b"2",
            b"3",
            b"k",
        ]


def test_a_client_that_reads_nothing_is_let_go(served: Served) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", served.port))
        client.sendall(request("/big"))
        # Whoever reads now finds what was under way, not all of it.
        _wait_for_the_end(client)
        client.settimeout(60)
        assert len(whole(client)) < 32 << 20


def test_a_client_that_reads_gets_all_of_a_long_reply(served: Served) -> None:
    with served.connect() as client:
        client.sendall(request("/big", "connection: close"))
        assert len(answer(client)[2]) == 32 << 20


def test_a_refusal_is_read_by_who_still_sends(served: Served) -> None:
    with served.connect() as client:
        client.sendall(request("/refuse", method="POST", body=bytes(8 << 20)))
        status, _, body = answer(client)
        assert (status, body) == (413, b"too long")
        assert whole(client) == b""


def test_the_rest_of_a_body_that_nobody_wants_is_not_waited_for(served: Served) -> None:
    with served.connect() as client:
        head = b"POST /unread HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n"
        client.sendall(head)
        assert answer(client)[0] == 401
        trickle(client)


def _wait_for_the_end(client: socket.socket) -> None:
    """Return when the other side has given a connection up, without reading from it."""
    wait_until(lambda: client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or _state(client) != 1)


def _state(client: socket.socket) -> int:
    """Return the state of a TCP connection as the kernel numbers it; 1 is established."""
    return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


@pytest.mark.parametrize("spare", [8, 40], ids=["files run out", "room runs out"])
def test_who_finds_no_room_waits_at_the_door(spare: int) -> None:
    with (
        served_alone(files=72, SPARE_FILES=spare, HEADER_S=0.3, TICKS=1) as served,
        ExitStack() as stack,
    ):
        idle = [stack.enter_context(served.connect()) for _ in range(150)]
        idle[-1].sendall(request("/", "connection: close"))
        assert whole(idle[-1]).endswith(b"ok")
        served.signal(signal.SIGTERM)
        code, _, err = served.ended()
        assert code == 0
        assert err == ""
