"""`empgan-rt serve`: what it refuses to start with, and one process of it from start to end."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.command_line import Outcome
from support.served import Served, answer, chat, request, serve, wait_until, whole

Command = Callable[..., Outcome]
WORDS = "unmistakable words"
IN_FLIGHT = 32


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text("# of the shop\nfirst-key\n\nsecond-key\n")
    options = ("tiny", "--api-key-file", str(keys), "--alias", "gpt-4o=tiny", "--host", "::1")
    if not socket.has_ipv6:
        options = options[:-2]
    with serve(*options) as served:
        yield served


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_others_are_let_in_by_decision_alone(command: Command, host: str) -> None:
    outcome = command("serve", "tiny", "--host", host, "--port", 0)
    assert outcome.code == 2
    assert "--api-key-file, or --no-auth" in outcome.err


def test_a_port_that_is_in_use(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for workers in (1, 2):
            outcome = command("serve", "tiny", "--port", port, "--workers", workers)
            assert outcome.code == 2
            assert f"port {port} of 127.0.0.1 is in use" in outcome.err


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--alias", "gpt"], 2, "give NAME=MODEL"),
        (["--alias", "gpt=none"], 2, "the alias 'gpt' of 'none'"),
        (["--cors-origin", "x", "--max-queue", "-1"], 2, "max_queue is -1"),
        (["--workers", "0"], 2, "workers is 0"),
        (["--api-key-file", "nowhere"], 2, "nowhere cannot be read"),
        (["--no-guard", "--locale", "en-GB"], 2, "without a guard"),
        (["--precision", "fp8"], 2, "fp8"),
        (["./nowhere"], 4, "nowhere"),
        (["default", "default"], 2, "two models of one name"),
        (["--config", "nowhere.toml"], 2, "nowhere.toml cannot be read"),
    ],
    ids=str,
)
def test_what_cannot_be_served(command: Command, options: list[str], code: int, said: str) -> None:
    bundle = [] if options[0][0] in "d." else ["tiny"]
    outcome = command("serve", *bundle, "--port", 0, *options)
    assert said in outcome.err
    assert outcome.code == code


def test_a_key_is_needed(keyed: Served) -> None:
    assert b" 401 " in _ask(keyed, chat("connection: close"))
    assert b" 401 " in _ask(keyed, chat("connection: close", "authorization: Bearer third"))
    for key in ("first-key", "second-key"):
        said = _ask(
            keyed, chat("connection: close", f"authorization: Bearer {key}", model="gpt-4o")
        )
        assert b" 200 " in said


def test_probes_need_no_key(keyed: Served) -> None:
    assert b" 200 " in _ask(keyed, request("/ready", "connection: close"))
    assert b" 401 " in _ask(keyed, request("/metrics", "connection: close"))


def test_all_of_it_from_start_to_end(tmp_path: Path) -> None:
    config = tmp_path / "serve.toml"
    config.write_text('bundles = ["tiny"]\nshutdown_delay_s = 1.0\nmax_queue = 100\n')
    with serve("--config", str(config)) as served:
        said = served.ask(chat("connection: close", text=WORDS, user=WORDS))
        assert json.loads(said.partition(b"\r\n\r\n")[2])["model"] == "tiny"
        assert b" 403 " in served.ask(
            b"GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n"
        )
        served.ask(request(f"/{WORDS.replace(' ', '-')}?{WORDS.split()[0]}", "connection: close"))
        page = served.ask(request("/metrics", "connection: close")).decode()
        ended = 'empgan_request_success_total{finished_reason="stop",model_name="tiny"} 1.0'
        assert ended in page.splitlines()
        clients = [served.connect() for _ in range(IN_FLIGHT)]
        for client in clients:
            client.sendall(chat(ignore_eos=True, max_tokens=60, text=WORDS))
        served.signal(signal.SIGTERM)
        wait_until(lambda: b" 503 " in served.ask(request("/ready")))
        assert b" 200 " in served.ask(chat(text=WORDS))  # who comes late is answered, too
        for client in clients:
            assert answer(client)[0] == 200
            client.close()
        code, out, err = served.ended()
        assert (code, out) == (0, "")
    lines = [line for line in err.splitlines() if "access_log" in line]
    assert sum(" POST /v1/chat/completions 200 " in line for line in lines) == IN_FLIGHT + 2
    assert any(" GET - 404 " in line for line in lines)
    for word in WORDS.split():
        assert word not in err


def test_sessions_outlast_the_server(tmp_path: Path) -> None:
    kind = "content-type: application/json"
    path, said = "/v1/sessions/anna", b'{"text": "I lost my keys today."}'
    options = ("tiny", "--sessions", str(tmp_path / "sessions.db"), "--ttl", "inf")
    with serve(*options) as served:
        assert b" 200 " in served.ask(
            request(path, kind, "connection: close", method="POST", body=said)
        )
        served.signal(signal.SIGKILL)
        assert served.ended()[0] == -signal.SIGKILL
    with serve(*options, "--shutdown-delay", "0") as served:
        shown = served.ask(request(path, "connection: close")).partition(b"\r\n\r\n")[2]
        first, _ = [turn["text"] for turn in json.loads(shown)["turns"]]
        assert first == "I lost my keys today."
        served.signal(signal.SIGTERM)
        assert served.ended()[0] == 0


@pytest.mark.parametrize(
    "round_number",
    [pytest.param(n, marks=pytest.mark.soak if n % 6 else pytest.mark.slow) for n in range(50)],
)
def test_all_are_answered_fifty_times(round_number: int) -> None:
    with serve("tiny", "--shutdown-delay", str(0.2 * (round_number % 2)), "-q") as served:
        clients = [served.connect() for _ in range(IN_FLIGHT)]
        for client in clients:
            client.sendall(chat(ignore_eos=True, max_tokens=60))
        time.sleep(0.01 * round_number)
        served.signal(signal.SIGTERM)
        for client in clients:
            assert answer(client)[0] == 200
            client.close()
        assert served.ended() == (0, "", "")


def test_ctrl_c_is_an_interruption() -> None:
    with serve("tiny", env={"COLUMNS": "80"}) as served, served.connect() as client:
        client.sendall(chat())
        served.signal(signal.SIGINT)
        assert answer(client)[0] == 200
        assert served.ended()[0] == 130


def _ask(served: Served, asked: bytes) -> bytes:
    """Return what a server on ::1 answers until it closes the connection."""
    host = "::1" if socket.has_ipv6 else "127.0.0.1"
    with socket.create_connection((host, served.port), timeout=60) as client:
        client.sendall(asked)
        return whole(client)
