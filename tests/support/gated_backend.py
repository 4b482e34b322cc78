"""A backend that takes a step only when a test lets it."""

from __future__ import annotations

import threading
from typing import Any

from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.graph_spec import Candidates
from support.counting_backend import CountingBackend


class GatedBackend(CountingBackend):
    """Counts steps that have begun; each then waits for leave, until `open_for_all`."""

    def __init__(self, inner: OrtBackend) -> None:
        super().__init__(inner)
        self._leave = threading.Semaphore(0)
        self._is_open = False
        self.begun = 0

    def let(self, steps: int) -> None:
        """Let so many more steps be taken."""
        self._leave.release(steps)

    def open_for_all(self) -> None:
        """Let all steps be taken from now on."""
        self._is_open = True
        self._leave.release(1)

    def step(self, state: Any, *arguments: Any) -> Candidates:
        self.begun += 1
        if not self._is_open:
            self._leave.acquire()
        return super().step(state, *arguments)
