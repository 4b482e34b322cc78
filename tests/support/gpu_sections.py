"""Sections that end in every way that a section can."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from empgan_bench.gpu_check.records import Finding, Job, Missing
from empgan_bench.gpu_check.sections import Section
from empgan_rt.errors import ProviderError

MakeJob = Callable[..., Job]


def section(target: str, name: str = "", **fields: object) -> Section:
    """Return a section over a function of this module."""
    given = {"limit_s": 100.0, "least_s": 1.0} | fields
    return Section(name or target, "something", f"{__name__}:{target}", **given)  # type: ignore[arg-type]


def two_rows(job: Job) -> Iterator[Finding]:
    yield Finding({"device": job.device, "value": 1.5})
    yield Finding({"device": job.engine, "value": None}, note="a note")


def told(job: Job) -> Iterator[Finding]:
    """Tell what the job holds."""
    yield Finding({"dry": int(job.dry), "broken": ",".join(job.broken), "seconds": job.seconds})


def gpu(job: Job) -> Iterator[Finding]:
    yield Finding({"what": "GPU", "value": "A GPU"})


def no_gpu(job: Job) -> Iterator[Finding]:
    yield Finding({"what": "CPU", "value": "A CPU"})


def faulty(job: Job) -> Iterator[Finding]:
    yield Finding({"value": 1}, fault="one is too many")
    yield Finding({"value": 2})


def absent(job: Job) -> Iterator[Finding]:
    raise Missing("a thing is missing: install it")
    yield


def refused(job: Job) -> Iterator[Finding]:
    yield Finding({"value": 1})
    raise ProviderError("the device is lost", hint="start\nanew")


def nothing(job: Job) -> Iterator[Finding]:
    yield Finding(note="nothing was here")


def bug(job: Job) -> Iterator[Finding]:
    yield Finding({"value": 1})
    raise ZeroDivisionError("a bug")


def crash(job: Job) -> Iterator[Finding]:
    yield Finding({"value": 1})
    print("the last words", flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(job: Job) -> Iterator[Finding]:
    """Start two processes that outlive everybody, tell their numbers, and hang."""
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    child = subprocess.Popen(command)
    worker = subprocess.Popen(command, start_new_session=True)
    yield Finding({"own": os.getpid(), "child": child.pid, "worker": worker.pid})
    time.sleep(600)
