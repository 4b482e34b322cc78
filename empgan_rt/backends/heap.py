"""Memory that was freed while a model was loaded, given back to the system.

ONNX Runtime builds each session from temporary copies of its weights. glibc keeps their pages for
later calls of malloc, which ask for a tenth of them.
"""

from __future__ import annotations

import ctypes
import sys


def release_free_memory() -> None:
    """Give pages of the heap that nothing uses back to the system, where malloc is glibc's.

    The process goes on as before: what it allocates next comes from the system again. Measured:
    docs/decisions/0029-memory-of-a-worker.md.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in musl
        if trim is not None:
            trim(ctypes.c_size_t(0))
