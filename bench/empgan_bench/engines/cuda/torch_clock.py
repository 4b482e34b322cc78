"""Time on the GPU in PyTorch's stream."""

from __future__ import annotations

from typing import Any

import torch

from .clock import EventClock


class TorchClock(EventClock):
    """Of PyTorch's current stream."""

    def made(self) -> Any:
        """See `EventClock.made`."""
        return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # PyTorch's

    def record(self, event: Any) -> None:
        """See `EventClock.record`."""
        event.record()

    def wait(self) -> None:
        """See `EventClock.wait`."""
        torch.cuda.synchronize()

    def between(self, start: Any, stop: Any) -> float:
        """See `EventClock.between`."""
        return float(start.elapsed_time(stop))
