"""What becomes of requests when the server is told to end."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import ExitStack

import pytest

from support.served import Served, answer, request, served_alone, wait_until, whole

IN_FLIGHT = 32
WAIT = request("/wait", "x-wait: 0.3", method="POST", body=b"abc")


def all_answered(told: signal.Signals, pause_s: float, delay_s: float) -> None:
    """Check that 32 requests sent before a signal are answered, on new and on kept connections."""
    with served_alone(delay_s=delay_s) as served, ExitStack() as stack:
        clients = [stack.enter_context(served.connect()) for _ in range(IN_FLIGHT)]
        for client in clients[::2]:
            client.sendall(request("/"))
            assert answer(client)[0] == 200
        for client in clients:
            client.sendall(WAIT)
        time.sleep(pause_s)
        served.signal(told)
        for client in clients:
            assert answer(client)[::2] == (200, b"3")
            assert whole(client) == b""
        code, out, err = served.ended()
        assert (code, out.split(), err) == (0, ["leave"], "")


@pytest.mark.parametrize("pause_s", [0.0, 0.02, 0.1, 0.2, 0.25])
def test_all_are_answered(pause_s: float) -> None:
    all_answered(signal.SIGTERM, pause_s, delay_s=0.0)


@pytest.mark.parametrize(
    "round_number",
    [pytest.param(n, marks=pytest.mark.soak if n % 6 else pytest.mark.slow) for n in range(50)],
)
def test_all_are_answered_fifty_times(round_number: int) -> None:
    all_answered(signal.SIGTERM, 0.006 * round_number, delay_s=0.1 * (round_number % 2))


def test_who_comes_while_it_leaves_is_answered_and_told_to_go() -> None:
    with served_alone(delay_s=2.0) as served, served.connect() as kept:
        kept.sendall(request("/"))
        assert "connection" not in answer(kept)[1]
        served.signal(signal.SIGTERM)
        assert _next_line(served) == "leave"
        for _ in range(3):
            time.sleep(0.4)  # uvicorn makes the headers that all replies have anew each second
            with served.connect() as client:
                client.sendall(request("/"))
                status, headers, _ = answer(client)
                assert (status, headers["connection"]) == (200, "close")
                assert whole(client) == b""
        kept.sendall(request("/"))
        assert answer(kept)[1]["connection"] == "close"
        wait_until(lambda: not _accepts(served))
        assert served.ended()[0] == 0


def test_who_has_connected_and_not_asked_has_a_moment() -> None:
    with served_alone(FIRST_REQUEST_S=5.0) as served, served.connect() as client:
        served.signal(signal.SIGTERM)
        wait_until(lambda: not _accepts(served))
        client.sendall(request("/"))
        assert answer(client)[0] == 200
        assert served.ended()[0] == 0


def test_who_never_asks_holds_nobody_up() -> None:
    with served_alone(FIRST_REQUEST_S=0.1) as served, served.connect() as client:
        served.signal(signal.SIGTERM)
        assert whole(client) == b""
        assert served.ended()[0] == 0


def test_who_does_not_read_holds_nobody_up_for_long() -> None:
    with served_alone(READER_S=0.3, TICKS=1) as served, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", served.port))
        client.sendall(request("/big"))
        client.recv(1)
        served.signal(signal.SIGTERM)
        assert served.ended()[0] == 0


def test_ctrl_c_waits_for_no_load_balancer() -> None:
    with served_alone(delay_s=3600) as served:
        assert served.ask(request("/", "connection: close")).endswith(b"ok")
        served.signal(signal.SIGINT)
        assert served.ended()[0] == 0


def test_a_second_signal_breaks_off() -> None:
    with served_alone(delay_s=3600) as served, served.connect() as client:
        client.sendall(request("/wait", "x-wait: 3600", method="POST", body=b"abc"))
        served.signal(signal.SIGTERM)
        assert _next_line(served) == "leave"
        served.signal(signal.SIGTERM)
        assert whole(client) == b""
        code, _, err = served.ended()
        assert code == 130
        assert "broken off" in err


def test_no_word_of_an_exception_is_logged() -> None:
    with served_alone() as served:
        assert b" 500 " in served.ask(request("/raise", "x-words: my secret", "connection: close"))
        served.signal(signal.SIGTERM)
        code, _, err = served.ended()
        assert code == 0
        assert "ValueError in app:" in err
        assert "secret" not in err


def _next_line(served: Served) -> str:
    assert served.process.stdout is not None
    return served.process.stdout.readline().strip()


def _accepts(served: Served) -> bool:
    try:
        served.connect().close()
    except ConnectionError:
        return False
    return True
