"""Ctrl-C and SIGTERM as a flag, so that a run can stop between two steps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupt_flag() -> Iterator[list[int]]:
    """Yield a list that receives the signal's number; a second signal kills as usual.

    The signal ends nothing by itself: the caller finishes the step or validation under way and
    then looks at the list.

    Raises:
        ValueError: called outside the main thread, the only one that may set handlers.
    """
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        received.append(number)
        signal.signal(number, signal.SIG_DFL)

    old = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
