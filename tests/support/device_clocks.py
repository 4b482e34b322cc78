"""A clock of a device that is not there."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ScriptedClock:
    """A `DeviceClock` that says what it is told to.

    Attributes:
        spans: what `read` returns; if there are none, 1 ms for each start.
        calls: in their order.
    """

    spans: list[float]
    calls: list[str] = field(default_factory=list)
    _open: int = 0

    def start(self) -> None:
        self.calls.append("start")
        self._open += 1

    def stop(self) -> None:
        self.calls.append("stop")

    def read(self) -> list[float]:
        self.calls.append("read")
        count, self._open = self._open, 0
        return self.spans or [1.0] * count
