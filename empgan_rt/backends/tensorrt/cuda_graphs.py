"""Runs of an execution context that are captured once and replayed: one launch for all kernels.

TensorRT documents what a captured run holds fixed: the shapes of its context, the addresses of all
tensors and of the memory that it computes in; and that one plain run must come first after any of
them changed, since it puts off work until then. So whoever owns the context calls `clear` when
shapes or memory change, and runs are told apart by their tensors' addresses. A state that moves
between two buffers thus has two.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .cuda_device import CudaDevice

MOST = 16  # captured runs of a context; a state in two buffers has two

_log = logging.getLogger(__name__)


class CudaGraphs:
    """The captured runs of one context.

    Args:
        device: the GPU.
    """

    def __init__(self, device: CudaDevice) -> None:
        self._device = device
        self._graphs: OrderedDict[tuple[int, ...], Any] = OrderedDict()  # the last used at the end
        self._warm = False  # whether there was a plain run since shapes or memory changed
        self._capturing = True

    def run(self, addresses: tuple[int, ...], enqueue: Callable[[], bool]) -> bool:
        """Return whether a run was enqueued: replayed, or captured and replayed, or plainly.

        Args:
            addresses: of all tensors, in an order that is always the same.
            enqueue: enqueues the run on the device's stream, and returns whether it could.

        Raises:
            ProviderError: the GPU failed.
        """
        device, cuda = self._device, self._device.cuda
        if self._warm and self._capturing and addresses not in self._graphs:
            self._capture(addresses, enqueue)
        if addresses in self._graphs:
            self._graphs.move_to_end(addresses)
            device.result(cuda.cudaGraphLaunch(self._graphs[addresses], device.stream))
            return True
        self._warm = enqueue()
        return self._warm

    def clear(self) -> None:
        """Throw all captured runs away."""
        self._warm = False
        while self._graphs:
            self._drop()

    def _capture(self, addresses: tuple[int, ...], enqueue: Callable[[], bool]) -> None:
        """Capture a run; if that fails, never again, since plain runs do as well."""
        device, cuda = self._device, self._device.cuda
        while len(self._graphs) >= MOST:
            self._drop()
        success = cuda.cudaError_t.cudaSuccess
        mode = cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        device.result(cuda.cudaStreamBeginCapture(device.stream, mode))
        enqueued = False
        try:
            enqueued = enqueue()
        finally:
            error, graph = cuda.cudaStreamEndCapture(device.stream)
        if error == success:
            if enqueued:
                error, runnable = cuda.cudaGraphInstantiate(graph, 0)
            cuda.cudaGraphDestroy(graph)
        if enqueued and error == success:
            self._graphs[addresses] = runnable
            return
        self._capturing = False
        cuda.cudaGetLastError()  # it is dealt with
        _log.warning("runs are not captured but enqueued one by one, which takes longer")

    def _drop(self) -> None:
        """Throw away the one that was not used for longest; CUDA lets it end if it is running."""
        _, graph = self._graphs.popitem(last=False)
        self._device.cuda.cudaGraphExecDestroy(graph)
