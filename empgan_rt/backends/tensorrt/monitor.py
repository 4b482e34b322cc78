"""Progress of a build, and Ctrl-C during one.

A build is one long call into TensorRT. An exception from a callback would end the process there,
so Ctrl-C is noted by a signal handler and the next callback cancels the build.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PhaseListener = Callable[[str], None]


@contextmanager
def watched(trt: Any, listener: PhaseListener | None) -> Iterator[Any]:
    """Yield an `IProgressMonitor` that names phases to `listener`; turn Ctrl-C into a cancellation.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed within the block, at its end.
    """
    monitor = _monitor(trt, listener)
    # Python delivers signals to the main thread, which alone may set handlers.
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, lambda *_: monitor.cancel()) if in_main else None
    try:
        yield monitor
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
    if monitor.cancelled:
        raise KeyboardInterrupt


def _monitor(trt: Any, listener: PhaseListener | None) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # see `log`
        """Calls come from any thread."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.cancelled = False

        def cancel(self) -> None:
            self.cancelled = True

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if listener is not None:
                listener(phase_name)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return not self.cancelled

        def phase_finish(self, phase_name: str) -> None:
            """Nothing: the next phase says enough."""

    return Monitor()
