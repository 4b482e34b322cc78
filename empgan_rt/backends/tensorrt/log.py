"""What TensorRT says goes to `logging`; its last errors are kept for whoever raises them.

The first logger that a process gives to TensorRT is the one that it uses from then on, so there is
one for each module, made once. If the host program was first, its own logger hears of errors.
"""

from __future__ import annotations

import functools
import logging
from collections import deque
from typing import Any

_log = logging.getLogger(__name__)
_KEPT = 8
_FULL = ("out of memory", "outofmemory", "cudaerrormemoryallocation")


def tells_of_full_memory(said: str) -> bool:
    """Return whether TensorRT's words mean that the GPU's memory is full."""
    return any(words in said.lower() for words in _FULL)


@functools.cache
def logger(trt: Any) -> Any:
    """Return the `ILogger` of a module; its `errors` holds the last ones, oldest first."""
    levels = {
        trt.ILogger.INTERNAL_ERROR: logging.WARNING,
        trt.ILogger.ERROR: logging.WARNING,  # whether a build fails, its result tells
        trt.ILogger.WARNING: logging.INFO,
        trt.ILogger.INFO: logging.DEBUG,
    }

    class Bridge(trt.ILogger):  # type: ignore[misc]  # the module is known when it was imported
        """Calls come from any thread."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: deque[str] = deque(maxlen=_KEPT)

        def log(self, severity: Any, message: str) -> None:
            level = levels.get(severity)  # none for what is verbose
            if level is None:
                return
            if level >= logging.WARNING:
                self.errors.append(message)
            _log.log(level, "%s", message)

    return Bridge()
