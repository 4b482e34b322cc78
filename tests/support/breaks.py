"""Exceptions at a line of our choice: what an interrupt or a full memory does, without luck."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

Trace = Callable[[FrameType, str, Any], Any]


class Break:
    """Raises an exception once, before the line of the watched modules that is executed n-th.

    Args:
        modules: names of the modules whose lines count.
        at: n, from 0; None only counts.
        kind: what is raised.

    Attributes:
        lines: executed so far.
        place: where it raised, as "module:line"; empty before.
    """

    def __init__(self, modules: Collection[str], at: int | None, kind: type[BaseException]) -> None:
        self._modules, self._at, self._kind = frozenset(modules), at, kind
        self.lines = 0
        self.place = ""

    @contextmanager
    def here(self) -> Iterator[Break]:
        """Count and raise in this thread, inside the block."""
        sys.settrace(self._called)
        try:
            yield self
        finally:
            sys.settrace(None)

    @contextmanager
    def in_new_threads(self) -> Iterator[Break]:
        """Count and raise in threads that are started inside the block."""
        threading.settrace(self._called)
        try:
            yield self
        finally:
            threading.settrace(None)  # type: ignore[arg-type]  # as sys.settrace takes it

    def _called(self, frame: FrameType, event: str, value: Any) -> Trace | None:
        if frame.f_globals.get("__name__") in self._modules:
            return self._line
        return None

    def _line(self, frame: FrameType, event: str, value: Any) -> Trace:
        if event == "line":
            number, self.lines = self.lines, self.lines + 1
            if number == self._at:
                self.place = f"{frame.f_globals['__name__']}:{frame.f_lineno}"
                raise self._kind
        return self._line
