"""Runs sections one after the other, each in a process of its own with a time limit.

A section may take the GPU down or end by a signal: it has failed then, what it found before counts,
and the next one starts with a fresh process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from ..workers.client import import_path
from .needs import NO_GPU
from .records import Job, Outcome, Record, Status
from .sections import Section

_GRACE_S = 10.0  # between asking a process to end and killing it
_LINES, _WIDTH = 40, 300  # of what a failed process said


@dataclass(frozen=True)
class Settings:
    """What all sections of a run have in common.

    Attributes:
        out: folder of the report.
        dry_run: on the CPU, with small numbers.
        limit_s: seconds for all sections; None for any.
    """

    out: Path
    dry_run: bool = False
    limit_s: float | None = None


class Runner:
    """One run, whose time runs from now.

    Attributes:
        records: of the sections that are over.
    """

    def __init__(self, settings: Settings) -> None:
        self.records: list[Record] = []
        self._settings = settings
        self._ends = None if settings.limit_s is None else time.monotonic() + settings.limit_s
        self._broken: set[str] = set()  # engines

    def run(self, section: Section, later: Sequence[Section] = ()) -> Record:
        """Return the record of a section, which is kept in `records` too.

        Args:
            section: what to run now.
            later: what is to come, for which time has to be left.
        """
        start = time.monotonic()
        left = None if self._ends is None else max(0.0, self._ends - start)
        seconds, said = allowance(section, later, left), list[str]()
        if obstacle := self._obstacle(section):
            outcome = Outcome("skipped", obstacle)
        elif seconds is None:
            outcome = Outcome("skipped", f"{left:.0f} s are left, it needs {section.least_s:g}")
        else:
            outcome, said = self._perform(section, seconds)
        taken = round(time.monotonic() - start, 1)
        status, reason, figures = outcome.status, outcome.reason, outcome.figures
        record = Record(section.name, section.proves, status, reason, taken, figures, said)
        self.records.append(record)
        return record

    def _obstacle(self, section: Section) -> str:
        """Return why a section cannot be run, as far as that is known beforehand."""
        if self._settings.dry_run and section.dry_needs is None:
            return f"{NO_GPU} in a dry run"
        before = {record.name: record.status for record in self.records}
        if before.get(section.after, "passed") != "passed":
            return f"`{section.after}` did not pass"
        return ""

    def _perform(self, section: Section, seconds: float) -> tuple[Outcome, list[str]]:
        """Return what a section's process found, and its last lines if it failed."""
        dry = self._settings.dry_run
        with tempfile.TemporaryDirectory() as folder:
            record, log = Path(folder, "record.json"), Path(folder, "log")
            job = Job(
                target=section.target,
                needs=(section.dry_needs or ()) if dry else section.needs,
                record=str(record),
                out=str(self._settings.out.resolve()),
                device="cpu" if dry else "cuda",
                engine=section.engine,
                seconds=seconds,
                broken=tuple(sorted(self._broken)),
            )
            status = _ended(job, log)
            found = Outcome("skipped")
            if record.is_file():
                found = msgspec.json.decode(record.read_bytes(), type=Outcome)
            lines = _last_lines(log)
            outcome = judged(found, status, seconds, section.limit_s, lines[-1] if lines else "")
            refused = status == 0 and outcome.status == "skipped"
            if section.engine and (refused or outcome.status == "failed"):
                self._broken.add(section.engine)
            return outcome, lines if outcome.status == "failed" else []


def allowance(section: Section, later: Sequence[Section], left_s: float | None) -> float | None:
    """Return how long a section may take; None if it is not to be begun.

    It leaves each later one its least, but takes its own least in any case.
    """
    if left_s is None:
        return section.limit_s
    if left_s < section.least_s:
        return None
    reserved = sum(other.least_s for other in later)
    return min(section.limit_s, max(section.least_s, left_s - reserved))


def judged(
    found: Outcome, status: int | None, seconds: float, limit_s: float, said: str = ""
) -> Outcome:
    """Return what a section has come to.

    Args:
        found: what its process had found when it ended.
        status: that of the process; None if it was stopped.
        seconds: how long it might take.
        limit_s: how long it may take where there is time enough.
        said: the last line that it printed.
    """
    if status == 0:
        return found
    if status is not None:
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        last = f" after {said!r}" if said else ""
        return _with(found, "failed", f"its process ended {how}{last}")
    if seconds < limit_s:  # the whole run is short of time
        then: Status = "failed" if found.status == "failed" else "skipped"
        return _with(found, then, f"cut short after {seconds:.0f} s for lack of time")
    return _with(found, "failed", f"stopped after {seconds:.0f} s, which is its limit")


def _with(found: Outcome, status: Status, reason: str) -> Outcome:
    reasons = [part for part in (found.reason, reason) if part]
    return msgspec.structs.replace(found, status=status, reason="; ".join(reasons))


def _ended(job: Job, log: Path) -> int | None:
    """Return the exit status of a section's process; None if it had to be stopped."""
    environment = {
        **os.environ,
        "PYTHONPATH": import_path(),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # the order of `nvidia-smi`
    }
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.child"],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=environment,
            process_group=0,  # so that its own processes can be ended with it
        ) as process,
    ):
        try:
            process.communicate(msgspec.json.encode(job), timeout=job.seconds)
            return process.returncode
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, if it has not ended, and all that it has left behind."""
    below: list[psutil.Process] = []  # the bench's workers are in groups of their own
    if process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            below = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for each in below:
        with suppress(psutil.NoSuchProcess):  # it knows whether the number is another's by now
            each.kill()
    process.wait()


def _last_lines(log: Path) -> list[str]:
    lines = log.read_text("utf-8", "replace").rstrip().splitlines()
    return [line[:_WIDTH] for line in lines[-_LINES:]]
