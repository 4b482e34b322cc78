"""A process that ends at a chosen line: nothing after it runs, not even what would tidy up."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any


class Killed(BaseException):
    """Stands for SIGKILL: no handler of ours catches it."""


def kills(
    work: Callable[[], object], *functions: Callable[..., Any]
) -> Iterator[Callable[[], None]]:
    """Yield `work` as it is when it is killed before each line that it runs of some functions.

    Each must be called before the next is asked for. The last one runs to its end.
    """
    codes = {function.__code__ for function in functions}
    place, ended = 0, False
    while not ended:

        def killed(at: int = place) -> None:
            nonlocal ended
            with warnings.catch_warnings():  # who is killed closes nothing
                warnings.simplefilter("ignore", ResourceWarning)
                ended = _run_until(work, codes, at)

        yield killed
        place += 1


def _run_until(work: Callable[[], object], codes: set[CodeType], at: int) -> bool:
    """Run `work` until the line numbered `at` would run; return whether it came to its end."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if frame.f_code not in codes:
            return None
        if event == "line":
            if count == at:
                raise Killed
            count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except Killed:
        return False
    finally:
        sys.settrace(before)
    return True
