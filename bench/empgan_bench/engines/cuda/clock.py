"""Time on the GPU: between events that it passes as it works through a stream.

An event costs the host a few microseconds, which are in its times, and the GPU next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from empgan_rt.backends.tensorrt.cuda_device import CudaDevice


class EventClock:
    """A `DeviceClock` by events, which are made once and used again.

    Args:
        made: returns a new event.
        record: puts an event into the stream.
        wait: waits until the GPU has passed all events.
        between: returns the ms from one event to another.
    """

    def __init__(
        self,
        made: Callable[[], Any],
        record: Callable[[Any], object],
        wait: Callable[[], object],
        between: Callable[[Any, Any], float],
    ) -> None:
        self._made, self._record = made, record
        self._wait, self._between = wait, between
        self._events: list[Any] = []
        self._used = 0

    def start(self) -> None:
        """See `DeviceClock.start`."""
        if self._used == len(self._events):
            self._events.append(self._made())
        self._record(self._events[self._used])
        self._used += 1

    stop = start

    def read(self) -> list[float]:
        """See `DeviceClock.read`."""
        used = self._events[: self._used]
        self._used = 0
        self._wait()
        return [self._between(*pair) for pair in zip(used[::2], used[1::2], strict=True)]


def stream_clock(gpu: CudaDevice) -> EventClock:
    """Return the clock of one of our backends' stream; errors as `CudaDevice.result`."""
    cuda, checked = gpu.cuda, gpu.result
    return EventClock(
        made=lambda: checked(cuda.cudaEventCreate()),
        record=lambda event: checked(cuda.cudaEventRecord(event, gpu.stream)),
        wait=gpu.synchronise,
        between=lambda start, stop: float(checked(cuda.cudaEventElapsedTime(start, stop))),
    )
