"""One process after another, each with a time limit, and what it left behind ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from empgan_bench.workers.client import import_path
from empgan_rt.threads import allowed_cores
from gpu.sections import TESTS

_LINES, _WIDTH = 40, 300  # of what a process said


def ended(arguments: Sequence[str], folder: Path, seconds: float) -> int | None:
    """Return the status that Python ended with, None if it had to be stopped.

    What it prints goes to the files `stdout` and `stderr` of the folder.
    """
    environment = {
        "PYTHONPATH": import_path(),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "OMP_NUM_THREADS": str(allowed_cores()),  # tests have one thread otherwise
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # the order of `nvidia-smi`
    }
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=TESTS.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=os.environ | environment,
            process_group=0,  # so that its own processes can be ended with it
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            below: list[psutil.Process] = []  # the bench's workers are in groups of their own
            with suppress(psutil.NoSuchProcess):
                below = psutil.Process(process.pid).children(recursive=True)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            for each in below:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            process.wait()


def last_lines(folder: Path) -> list[str]:
    """Return what the process in a folder said last, on stderr after all else."""
    said = "".join((folder / name).read_text("utf-8", "replace") for name in ("stdout", "stderr"))
    return [line[:_WIDTH] for line in said.rstrip().splitlines()[-_LINES:]]
