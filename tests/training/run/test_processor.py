"""What training sets for its process: threads, and a malloc that keeps its memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from empgan_rt.errors import InputError
from empgan_training.run.processor import use_processor

PROGRAM = """
import resource, sys
import torch
from empgan_training.run.processor import use_processor

use_processor(int(sys.argv[1]))
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):  # 36 MB, had and given back, until their places have settled
    torch.ones(9 << 20)
before = faults()
for _ in range(4):
    torch.ones(9 << 20)
print(torch.get_num_threads(), faults() - before)
"""
PAGES = (36 << 20) // os.sysconf("SC_PAGE_SIZE")


def _run(threads: int = 1, **environment: str) -> tuple[int, int]:
    """Return PyTorch's threads, and pages that the system had to clear for memory had before."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(threads)],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    found, faults = map(int, done.stdout.split())
    return found, faults


def test_threads_are_those_asked_for() -> None:
    assert _run(threads=3)[0] == 3


glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="sets glibc's malloc alone")


@glibc
@pytest.mark.slow
def test_memory_that_was_freed_is_had_again_without_the_system() -> None:
    assert _run()[1] < PAGES / 10


@glibc
@pytest.mark.slow
def test_an_environment_that_sets_malloc_has_its_way() -> None:
    assert _run(MALLOC_ARENA_MAX="2")[1] > PAGES


def test_far_more_threads_than_cores_are_refused() -> None:
    with pytest.raises(InputError, match="1000000 threads"):
        use_processor(10**6)
