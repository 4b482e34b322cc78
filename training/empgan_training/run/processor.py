"""The processor that training computes on: its cores, and memory that is kept once it was had."""

from __future__ import annotations

import ctypes
import os
import platform

import torch

from empgan_rt.threads import allowed_cores, check_count

# mallopt's parameters in glibc's malloc.h, and their values here
_KEEP_MEMORY = (
    (-4, 0),  # M_MMAP_MAX: no block is mapped for itself, to be unmapped when it is freed
    (-1, 2**31 - 1),  # M_TRIM_THRESHOLD: bytes free at the heap's end before it is cut
)


def use_processor(threads: int = 0) -> None:
    """Set for this process the threads of PyTorch's operators, and let malloc keep its memory.

    A step of training frees hundreds of MB and has them again at the next. glibc gives large
    blocks back to the system at once, which then clears them page by page, again and again.
    Memory is kept with glibc alone, and not where the environment sets malloc itself
    (GLIBC_TUNABLES or MALLOC_*).
    Measured: docs/decisions/0021-malloc-keeps-memory.md.

    Args:
        threads: how many; 0 takes as many as this process may use cores.

    Raises:
        InputError: they are far more than the cores; PyTorch would end the process.
    """
    count = threads or allowed_cores()
    check_count(count)
    torch.set_num_threads(count)
    set_by_hand = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    if platform.libc_ver()[0] == "glibc" and not set_by_hand:
        libc = ctypes.CDLL(None)
        for parameter, value in _KEEP_MEMORY:
            libc.mallopt(parameter, value)
