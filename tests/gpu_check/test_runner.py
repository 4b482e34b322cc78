"""Sections in processes of their own: every way to end, and what time each is given."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from empgan_bench.gpu_check import runner as module
from empgan_bench.gpu_check.records import Job, Outcome, Record
from empgan_bench.gpu_check.runner import Runner, Settings, allowance, judged
from empgan_bench.gpu_check.sections import SECTIONS
from support.gpu_sections import section

Result = Callable[..., Record]


@pytest.fixture
def result(tmp_path: Path) -> Result:
    def run(target: str, *, dry_run: bool = False, **fields: object) -> Record:
        return Runner(Settings(tmp_path, dry_run)).run(section(target, **fields))

    return run


def test_a_section_that_passes(result: Result) -> None:
    found = result("two_rows", engine="eager")
    assert (found.name, found.status, found.reason) == ("two_rows", "passed", "a note")
    rows = [{"device": "cuda", "value": 1.5}, {"device": "eager", "value": None}]
    assert found.figures == rows
    assert found.said == []


def test_a_fault_fails_and_the_rest_is_kept(result: Result) -> None:
    found = result("faulty")
    assert (found.status, found.reason) == ("failed", "one is too many")
    assert found.figures == [{"value": 1}, {"value": 2}]


@pytest.mark.parametrize("target", ["absent", "nothing"])
def test_what_is_not_there_is_skipped_by_name(result: Result, target: str) -> None:
    found = result(target)
    assert found.status == "skipped"
    reasons = {"absent": "a thing is missing: install it", "nothing": "nothing was here"}
    assert found.reason == reasons[target]


def test_an_error_of_ours_fails_with_its_mend(result: Result) -> None:
    found = result("refused")
    assert (found.status, found.reason) == ("failed", "the device is lost (start; anew)")
    assert found.figures == [{"value": 1}]


def test_a_signal_fails_and_what_was_found_is_kept(result: Result) -> None:
    found = result("crash")
    assert (found.status, found.reason) == (
        "failed",
        "its process ended by SIGSEGV after 'the last words'",
    )
    assert found.figures == [{"value": 1}]
    assert found.said == ["the last words"]


def test_a_bug_fails_and_shows_its_traceback(result: Result) -> None:
    found = result("bug")
    assert (found.status, found.reason) == (
        "failed",
        "its process ended with status 1 after 'ZeroDivisionError: a bug'",
    )
    assert found.said[-1] == "ZeroDivisionError: a bug"


class Impatient(subprocess.Popen[bytes]):
    """A process that is waited for until it has told something, and then no longer."""

    raises: BaseException = subprocess.TimeoutExpired("section", 1)

    def communicate(self, job: bytes, timeout: float) -> None:  # type: ignore[override]
        assert self.stdin is not None
        self.stdin.write(job)
        self.stdin.close()
        record = Path(msgspec.json.decode(job, type=Job).record)
        while not record.is_file():
            assert self.poll() is None
            time.sleep(0.02)
        raise self.raises


def gone(pid: object) -> bool:
    """Whether a process has ended; one that nobody waits for may stay as a zombie."""
    try:
        return psutil.Process(int(str(pid))).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for(pid: object) -> None:
    while not gone(pid):
        time.sleep(0.02)


@pytest.mark.slow
def test_the_limit_ends_a_section_with_all_its_processes(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.subprocess, "Popen", Impatient)
    found = result("hang", limit_s=7.0)
    assert (found.status, found.reason) == ("failed", "stopped after 7 s, which is its limit")
    for name in ("own", "child", "worker"):
        wait_for(found.figures[0][name])


@pytest.mark.slow
def test_an_interrupted_run_leaves_no_process(
    result: Result, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module.subprocess, "Popen", Impatient)
    monkeypatch.setattr(Impatient, "raises", KeyboardInterrupt())
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(KeyboardInterrupt):
        result("hang")
    left = [c for c in psutil.Process().children(recursive=True) if c.pid not in before]
    assert all(gone(child.pid) for child in left)


def test_a_dry_run_tells_sections_so_and_skips_those_that_need_a_gpu(result: Result) -> None:
    assert result("told", dry_run=True).figures[0]["dry"] == 1
    found = result("told", dry_run=True, dry_needs=None)
    assert (found.status, found.reason) == ("skipped", "no GPU in a dry run")


def test_what_a_section_comes_after_has_to_pass(tmp_path: Path) -> None:
    runner = Runner(Settings(tmp_path))
    assert runner.run(section("told", after="faulty")).status == "passed"  # it was not chosen
    runner.run(section("faulty"))
    found = runner.run(section("told", after="faulty"))
    assert (found.status, found.reason) == ("skipped", "`faulty` did not pass")


def test_engines_that_did_not_pass_are_known_to_later_sections(tmp_path: Path) -> None:
    runner = Runner(Settings(tmp_path))
    for target, engine in (("faulty", "one"), ("absent", "two"), ("two_rows", "three")):
        runner.run(section(target, engine=engine))
    assert runner.run(section("told")).figures[0]["broken"] == "one,two"


def test_time_that_is_spent_skips_by_name(tmp_path: Path) -> None:
    runner = Runner(Settings(tmp_path, limit_s=0.0))
    found = runner.run(section("told", least_s=30.0))
    assert (found.status, found.reason) == ("skipped", "0 s are left, it needs 30")


@pytest.mark.parametrize(
    ("left_s", "wanted"),
    [
        (None, 100.0),
        (500.0, 100.0),
        (90.0, 60.0),  # 30 are left to the two others
        (45.0, 20.0),  # its least comes before theirs
        (19.0, None),
    ],
)
def test_a_section_leaves_later_ones_their_least(
    left_s: float | None, wanted: float | None
) -> None:
    later = [section("told", least_s=10.0), section("told", least_s=20.0)]
    assert allowance(section("told", least_s=20.0), later, left_s) == wanted


@pytest.mark.parametrize(
    ("found", "status", "seconds", "wanted"),
    [
        (Outcome("passed", "a note"), 0, 9.0, ("passed", "a note")),
        (
            Outcome("passed", "a note"),
            3,
            9.0,
            ("failed", "a note; its process ended with status 3"),
        ),
        (Outcome("passed"), -9, 9.0, ("failed", "its process ended by SIGKILL")),
        (Outcome("passed"), None, 9.0, ("failed", "stopped after 9 s, which is its limit")),
        (Outcome("passed"), None, 5.0, ("skipped", "cut short after 5 s for lack of time")),
        (Outcome("failed", "x"), None, 5.0, ("failed", "x; cut short after 5 s for lack of time")),
    ],
)
def test_what_a_section_has_come_to(
    found: Outcome, status: int | None, seconds: float, wanted: tuple[str, str]
) -> None:
    outcome = judged(found, status, seconds, limit_s=9.0)
    assert (outcome.status, outcome.reason) == wanted


def test_the_environment_counts_gpus_as_nvidia_smi_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[dict[str, str]] = []

    class Seen(subprocess.Popen[bytes]):
        def __init__(self, *arguments: object, env: dict[str, str], **options: object) -> None:
            seen.append(env)
            super().__init__(*arguments, env=env, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(module.subprocess, "Popen", Seen)
    Runner(Settings(tmp_path)).run(section("told"))
    assert seen[0]["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_the_table_is_sound() -> None:
    names = [entry.name for entry in SECTIONS]
    assert len(set(names)) == len(names)
    assert names[0] == "machine"
    for place, entry in enumerate(SECTIONS):
        assert 0 < entry.least_s < entry.limit_s
        assert not entry.after or entry.after in names[:place]
