"""Several processes on one port: counted together, replaced when one dies, and ended together."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

from support.command_line import Outcome
from support.served import Served, answer, chat, children, request, serve, wait_until

WORKERS = 2
ENDED = re.compile(
    rb'^empgan_request_success_total\{finished_reason="stop",model_name="tiny"\} (\S+)$', re.M
)


def counted(served: Served) -> set[float]:
    """Return how many requests were answered, as each of several looks at the page has it."""
    pages = [served.ask(request("/metrics", "connection: close")) for _ in range(8)]
    return {float(found[0]) for page in pages if (found := ENDED.findall(page))}


def asked(served: Served, times: int) -> None:
    for _ in range(times):
        assert b" 200 " in served.ask(chat("connection: close"))


def listening(served: Served) -> set[int]:
    """Return the workers that answer."""
    found = set()
    for pid in children(served.process.pid):
        with suppress(psutil.Error):  # it may just have ended
            sockets = psutil.Process(pid).net_connections("tcp")
            if any(each.status == psutil.CONN_LISTEN for each in sockets):
                found.add(pid)
    return found


def test_one_is_killed_and_all_are_ended() -> None:
    with serve("tiny", "--workers", str(WORKERS), "--shutdown-delay", "0.2") as served:
        before = children(served.process.pid)
        assert len(before) == WORKERS
        asked(served, 10)
        assert counted(served) == {10.0}
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: {*children(served.process.pid)} - {*before})
        asked(served, 10)  # nobody is sent to the dead one, or to the new one before it is ready
        assert counted(served) == {20.0}
        wait_until(lambda: b"200 OK" in served.ask(request("/ready", "connection: close")))
        clients = [served.connect() for _ in range(32)]
        for client in clients:
            client.sendall(chat(ignore_eos=True, max_tokens=60))
        served.signal(signal.SIGTERM)
        for client in clients:
            assert answer(client)[0] == 200
            client.close()
        code, out, err = served.ended()
        assert (code, out) == (0, "")
        assert f"worker {before[0]} ended by itself (SIGKILL); another is started" in err
        assert not any(psutil.pid_exists(pid) for pid in before)


def test_no_worker_outlives_its_supervisor() -> None:
    with serve("tiny", "--workers", str(WORKERS), "--shutdown-delay", "0") as served:
        left = [psutil.Process(pid) for pid in children(served.process.pid)]
        served.process.kill()
        _, alive = psutil.wait_procs(left, timeout=60)
        assert alive == []


def test_a_model_that_cannot_be_loaded_is_told_once(command: Callable[..., Outcome]) -> None:
    outcome = command("serve", "./nowhere", "--port", 0, "--workers", WORKERS, "--json")
    assert outcome.code == 4
    assert outcome.json["error"]["code"] == "bad_bundle"


@pytest.mark.slow
def test_a_worker_that_dies_again_and_again() -> None:
    with serve("tiny", "--workers", str(WORKERS)) as served:
        for _ in range(10):
            before = children(served.process.pid)
            os.kill(before[0], signal.SIGKILL)
            wait_until(lambda: listening(served) - {*before})  # noqa: B023
            asked(served, 5)
        assert counted(served) == {50.0}
        served.signal(signal.SIGTERM)
        assert served.ended()[0] == 0
