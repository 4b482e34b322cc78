"""What the supervisor does when workers fail, with programs in their place that load nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from empgan_rt.errors import BundleError, EmpganError
from empgan_rt.server import supervisor as module
from empgan_rt.server.serving import Serving
from empgan_rt.server.settings import ServerSettings
from empgan_rt.server.supervisor import Supervisor
from empgan_rt.server.worker import Ended, Job

JOB = Job(Serving(workers=2), ServerSettings(api_keys=("a-key",)), 0)
READY = "print('{}', flush=True)"
WAIT = "sys.stdin.read()"


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.001)


def supervised(
    program: str, folder: Path, told: list[str] | None = None, *, ends: bool = True
) -> Ended:
    """Return how two workers ended that run a program; a signal comes when both are ready."""
    told = [] if told is None else told

    def on_ready() -> None:
        told.append("ready")
        if ends:
            os.kill(os.getpid(), signal.SIGTERM)

    async def run() -> Ended:
        command = (sys.executable, "-c", f"import os, sys, signal, time\n{program}")
        return await Supervisor(command, JOB, str(folder), on_ready).run()

    return asyncio.run(run())


def test_workers_get_their_job_and_are_ended(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    program = f"""
line = sys.stdin.readline()
open({str(seen)!r}, "a").write(line + os.environ["PROMETHEUS_MULTIPROC_DIR"] + "\\n")
{READY}
{WAIT}"""
    told: list[str] = []
    assert supervised(program, tmp_path, told) == Ended(signal.SIGTERM, was_broken_off=False)
    assert told == ["ready"]
    first, folder, second, _ = seen.read_text().splitlines()
    assert first == second
    assert '"a-key"' in first
    assert folder == str(tmp_path)


def test_who_is_gone_is_in_no_gauge(tmp_path: Path) -> None:
    program = f"""
for kind in ("gauge_livesum", "counter"):
    open(os.environ["PROMETHEUS_MULTIPROC_DIR"] + f"/{{kind}}_{{os.getpid()}}.db", "w").close()
{READY}
signal.pause()"""
    supervised(program, tmp_path)
    assert [path.name.partition("_")[0] for path in tmp_path.iterdir()] == ["counter", "counter"]


def test_an_error_at_the_start_is_raised_here(tmp_path: Path) -> None:
    said = '{"code": "bad_bundle", "message": "weights are gone", "hint": "fetch them"}'
    with pytest.raises(BundleError, match="weights are gone") as caught:
        supervised(f"print({said!r})", tmp_path)
    assert caught.value.hint == "fetch them"


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("sys.exit(7)", "exit code 7"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("print('nonsense')", "exit code 0"),
    ],
)
def test_a_worker_that_ends_without_a_word(tmp_path: Path, program: str, how: str) -> None:
    with pytest.raises(EmpganError, match=f"the last one ended by {how}"):
        supervised(program, tmp_path)


def test_workers_that_do_not_stay_are_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = f"""
with open({str(tmp_path / "starts")!r}, "a+") as starts:
    starts.write("x")
    starts.seek(0)
    if len(starts.read()) <= 2:
        {READY}
time.sleep(0.2)
"""
    with pytest.raises(EmpganError, match="workers do not stay: the last one ended by exit code 0"):
        supervised(program, tmp_path, ends=False)
    assert "ended by itself (exit code 0); another is started" in caplog.text
    assert len((tmp_path / "starts").read_text()) > module.MOST_FAILURES


def test_a_second_signal_ends_workers_that_do_not(tmp_path: Path) -> None:
    program = f"signal.signal(signal.SIGTERM, lambda *_: None)\n{READY}\nwhile True: time.sleep(1)"

    async def run() -> Ended:
        loop = asyncio.get_running_loop()

        def on_ready() -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            loop.call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)

        command = (sys.executable, "-c", f"import sys, signal, time\n{program}")
        return await Supervisor(command, JOB, str(tmp_path), on_ready).run()

    assert asyncio.run(run()) == Ended(signal.SIGTERM, was_broken_off=True)
