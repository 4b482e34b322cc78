"""Time on the GPU: between events that it passes as it works through a stream.

An event costs the host a few microseconds, which are in its times, and the GPU next to nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from empgan_rt.backends.tensorrt.cuda_device import CudaDevice


class EventClock(ABC):
    """A `DeviceClock` by events, which are made once and used again."""

    def __init__(self) -> None:
        self._events: list[Any] = []
        self._used = 0

    def start(self) -> None:
        """See `DeviceClock.start`."""
        self._mark()

    def stop(self) -> None:
        """See `DeviceClock.stop`."""
        self._mark()

    def read(self) -> list[float]:
        """See `DeviceClock.read`."""
        used = self._events[: self._used]
        self._used = 0
        self.wait()
        return [self.between(*pair) for pair in zip(used[::2], used[1::2], strict=True)]

    @abstractmethod
    def made(self) -> Any:
        """Return a new event."""

    @abstractmethod
    def record(self, event: Any) -> None:
        """Put an event into the stream."""

    @abstractmethod
    def wait(self) -> None:
        """Wait until the GPU has passed all events."""

    @abstractmethod
    def between(self, start: Any, stop: Any) -> float:
        """Return the ms from one event to another."""

    def _mark(self) -> None:
        if self._used == len(self._events):
            self._events.append(self.made())
        self.record(self._events[self._used])
        self._used += 1


class CudaClock(EventClock):
    """Of the stream of one of our backends.

    Args:
        gpu: as the backend uses it.
    """

    def __init__(self, gpu: CudaDevice) -> None:
        super().__init__()
        self._gpu = gpu

    def made(self) -> Any:
        """See `EventClock.made`."""
        return self._gpu.result(self._gpu.cuda.cudaEventCreate())

    def record(self, event: Any) -> None:
        """See `EventClock.record`."""
        self._gpu.result(self._gpu.cuda.cudaEventRecord(event, self._gpu.stream))

    def wait(self) -> None:
        """See `EventClock.wait`."""
        self._gpu.synchronise()

    def between(self, start: Any, stop: Any) -> float:
        """See `EventClock.between`."""
        return float(self._gpu.result(self._gpu.cuda.cudaEventElapsedTime(start, stop)))
