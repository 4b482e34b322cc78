"""Programs of Ray's in a cluster of their own, on two cores of this machine, and its processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

from support.source_tree import PACKAGES, ROOT

FOLDER = ROOT / "examples" / "on_ray"


class RayRun:
    """A program that runs, and the processes that Ray started for it.

    Attributes:
        process: the program.
        log: the file of all that it prints.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log
        self._seen = {process.pid}

    def pids(self, title: str) -> list[int]:
        """Return the processes that Ray calls by this name, such as "ray::Keeper"."""
        found = []
        for child in self.children():
            with suppress(psutil.Error):
                if " ".join(child.cmdline()).startswith(title):
                    found.append(child.pid)
        return sorted(found)

    def children(self) -> list[psutil.Process]:
        """Return all processes that were started for the program and still run."""
        with suppress(psutil.Error):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def kill_program(self) -> None:
        """Kill the program alone, with -9."""
        self._seen |= {child.pid for child in self.children()}
        self.process.kill()
        self.process.wait()

    def kill_all(self) -> None:
        """Kill every process that there ever was."""
        self.kill_program()
        for pid in self._seen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def fail(self) -> NoReturn:
        """Fail, or skip the test if Ray gave itself up before the program began."""
        said = self.said()
        if "timed out during startup" in said:
            pytest.skip("this machine is so busy that Ray did not start within its 30 s")
        pytest.fail(said[-3000:])

    def said(self) -> str:
        """Return what was printed so far."""
        return self.log.read_text("utf-8", "replace")


@contextmanager
def on_ray(program: str, *arguments: str, folder: Path) -> Iterator[RayRun]:
    """Run an example while the block runs; all processes of its cluster end with the block."""
    # Sockets lie below it, whose names may have 107 characters.
    own = Path(tempfile.mkdtemp(prefix="ray"))
    roots = {str(path.parent) for path in PACKAGES.values()} | {str(FOLDER)}
    environment = {
        **os.environ,
        "HOME": str(own),  # a token is written there
        "PYTHONPATH": os.pathsep.join(sorted(roots)),
        "RAY_TMPDIR": str(own),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_register_timeout_seconds": "600",  # of a machine that does much else
    }
    environment.pop("RAY_ADDRESS", None)
    log = folder / f"{Path(program).stem}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, str(FOLDER / program), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    run = RayRun(process, log)
    try:
        yield run
    finally:
        run.kill_all()
        shutil.rmtree(own, ignore_errors=True)
