"""`cuda.bindings.runtime`: host memory plays the GPU's, and a stream is a list.

What is put into the stream happens when it is synchronised, so that whoever reads too early, or
changes what a copy still needs, gets wrong numbers. Memory comes full of NaN; whoever reaches
outside an allocation loses the device.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np


class _Error(IntEnum):
    cudaSuccess = 0  # noqa: N815 - CUDA's names
    cudaErrorInvalidValue = 1  # noqa: N815
    cudaErrorMemoryAllocation = 2  # noqa: N815
    cudaErrorInvalidResourceHandle = 400  # noqa: N815
    cudaErrorNotReady = 600  # noqa: N815
    cudaErrorIllegalAddress = 700  # noqa: N815
    cudaErrorStreamCaptureUnsupported = 900  # noqa: N815
    cudaErrorStreamCaptureInvalidated = 901  # noqa: N815


class _MemcpyKind(IntEnum):
    cudaMemcpyHostToDevice = 1  # noqa: N815
    cudaMemcpyDeviceToHost = 2  # noqa: N815
    cudaMemcpyDeviceToDevice = 3  # noqa: N815


class IllegalAddressError(Exception):
    """Memory was touched that is not allocated."""


Work = Callable[[], None]
OK = (_Error.cudaSuccess,)
_HOST, _GPU = "host", "gpu"


class CudaRuntime:
    """One pretended module with one GPU.

    Args:
        memory: bytes of the GPU.

    Attributes:
        calls: names of the calls that matter for order, and those of TensorRT among them.
        lost: set it to lose the device.
        uncapturable: set it to make captures fail.
        now_ms: the GPU's time; each piece of work takes 1 ms.
    """

    cudaError_t = _Error  # noqa: N815 - CUDA's names
    cudaMemcpyKind = _MemcpyKind  # noqa: N815
    cudaStreamNonBlocking = 1  # noqa: N815
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)  # noqa: N815

    def __init__(self, memory: int = 1 << 30) -> None:
        self.memory = memory
        self.calls: list[str] = []
        self.lost = self.uncapturable = False
        self.allocated: dict[int, tuple[str, np.ndarray]] = {}
        self.streams: set[int] = set()
        self.graphs: dict[int, list[Work]] = {}
        self.events: dict[int, float | None] = {}
        self.now_ms = 0.0
        self.device = 0
        self._pending: list[Work] = []
        self._captured: list[Work] | None = None
        self._last = _Error.cudaSuccess
        self._handles = 1000

    # The device

    def cudaGetDevice(self) -> Any:  # noqa: N802 - CUDA's names, from here on
        return self._end(), self.device

    def cudaSetDevice(self, device: int) -> Any:  # noqa: N802
        self.device = device
        return (self._end(),)

    def cudaGetDeviceProperties(self, device: int) -> Any:  # noqa: N802
        return self._end(), SimpleNamespace(name=b"Fake GPU", major=9, minor=0)

    def cudaDriverGetVersion(self) -> Any:  # noqa: N802
        return self._end(), 13000

    def cudaDeviceSynchronize(self) -> Any:  # noqa: N802
        self._flush()
        return (self._end(),)

    def cudaGetLastError(self) -> Any:  # noqa: N802
        last, self._last = self._last, _Error.cudaSuccess
        return (last,)

    # Memory

    def cudaMalloc(self, size: int) -> Any:  # noqa: N802
        used = sum(a.nbytes for kind, a in self.allocated.values() if kind == _GPU)
        if used + size > self.memory:
            return self._end(_Error.cudaErrorMemoryAllocation), None
        return self._end(), self._allocate(_GPU, size)

    def cudaMallocHost(self, size: int) -> Any:  # noqa: N802
        return self._end(), self._allocate(_HOST, size)

    def cudaFree(self, address: int) -> Any:  # noqa: N802
        return self._free(_GPU, address)

    def cudaFreeHost(self, address: int) -> Any:  # noqa: N802
        return self._free(_HOST, address)

    def cudaMemsetAsync(self, address: int, value: int, size: int, stream: int) -> Any:  # noqa: N802
        return self._put(stream, lambda: self.bytes(address, size, _GPU).fill(value))

    def cudaMemcpyAsync(  # noqa: N802
        self, target: int, source: int, size: int, kind: _MemcpyKind, stream: int
    ) -> Any:
        return self.cudaMemcpy2DAsync(target, size, source, size, size, 1, kind, stream)

    def cudaMemcpy2DAsync(  # noqa: N802
        self,
        target: int,
        into: int,
        source: int,
        out_of: int,
        width: int,
        height: int,
        kind: _MemcpyKind,
        stream: int,
    ) -> Any:
        self.calls.append(kind.name)
        if width > min(into, out_of):
            return (self._end(_Error.cudaErrorInvalidValue),)
        to = _GPU if kind != _MemcpyKind.cudaMemcpyDeviceToHost else _HOST
        of = _GPU if kind != _MemcpyKind.cudaMemcpyHostToDevice else _HOST

        def copy() -> None:
            for row in range(height):
                piece = self.bytes(source + row * out_of, width, of).copy()
                self.bytes(target + row * into, width, to)[:] = piece

        return self._put(stream, copy)

    # Streams and graphs

    def cudaStreamCreateWithFlags(self, flags: int) -> Any:  # noqa: N802
        self._handles += 1
        self.streams.add(self._handles)
        return self._end(), self._handles

    def cudaStreamDestroy(self, stream: int) -> Any:  # noqa: N802
        self.streams.remove(stream)
        return (self._end(),)

    def cudaStreamSynchronize(self, stream: int) -> Any:  # noqa: N802
        self.calls.append("synchronize")
        if stream not in self.streams:
            return (self._end(_Error.cudaErrorInvalidResourceHandle),)
        self._flush()
        return (self._end(),)

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> Any:  # noqa: N802
        self.calls.append("begin capture")
        self._captured = []
        return (self._end(),)

    def cudaStreamEndCapture(self, stream: int) -> Any:  # noqa: N802
        self.calls.append("end capture")
        captured, self._captured = self._captured, None
        if self.uncapturable:
            return self._end(_Error.cudaErrorStreamCaptureInvalidated), None
        return self._end(), captured

    def cudaGraphInstantiate(self, graph: list[Work], flags: int) -> Any:  # noqa: N802
        self._handles += 1
        self.graphs[self._handles] = graph
        return self._end(), self._handles

    def cudaGraphLaunch(self, graph: int, stream: int) -> Any:  # noqa: N802
        self.calls.append("launch")
        works = self.graphs[graph]
        return self._put(stream, lambda: [work() for work in works])

    def cudaGraphDestroy(self, graph: list[Work]) -> Any:  # noqa: N802
        return (self._end(),)

    def cudaGraphExecDestroy(self, graph: int) -> Any:  # noqa: N802
        self._flush()
        del self.graphs[graph]
        return (self._end(),)

    def cudaEventCreate(self) -> Any:  # noqa: N802
        self._handles += 1
        self.events[self._handles] = None
        return self._end(), self._handles

    def cudaEventRecord(self, event: int, stream: int) -> Any:  # noqa: N802
        def pass_by() -> None:
            self.events[event] = self.now_ms
            self.now_ms -= 1.0  # it takes no time

        return self._put(stream, pass_by)

    def cudaEventElapsedTime(self, start: int, end: int) -> Any:  # noqa: N802
        if self.events[start] is None or self.events[end] is None:
            return self._end(_Error.cudaErrorNotReady), None
        return self._end(), self.events[end] - self.events[start]

    # For the pretended TensorRT and for tests

    def bytes(self, address: int, size: int, kind: str = _GPU) -> np.ndarray:
        """Return memory that must lie within one allocation."""
        for start, (where, array) in self.allocated.items():
            if start <= address and address + size <= start + array.nbytes and where == kind:
                return array[address - start : address - start + size]
        raise IllegalAddressError

    def put(self, stream: int, work: Work) -> bool:
        """Put work into the stream, and return whether that could be done."""
        return self._put(stream, work) == OK

    @property
    def left(self) -> tuple[int, int, int]:
        """What was not given back: allocations, streams and graphs."""
        return len(self.allocated), len(self.streams), len(self.graphs)

    def _put(self, stream: int, work: Any) -> Any:
        if stream not in self.streams:
            return (self._end(_Error.cudaErrorInvalidResourceHandle),)
        (self._pending if self._captured is None else self._captured).append(work)
        return (self._end(),)

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        try:
            for work in pending:
                if not self.lost:
                    work()
                    self.now_ms += 1.0
        except IllegalAddressError:
            self.lost = True

    def _allocate(self, kind: str, size: int) -> int:
        # TensorRT wants 256; the real one gives at least that.
        whole = np.full(size + 256, 0xFF, np.uint8)
        skipped = -whole.ctypes.data % 256
        array = whole[skipped : skipped + size]
        address = int(array.ctypes.data)
        self.allocated[address] = (kind, array)
        return address

    def _free(self, kind: str, address: int) -> Any:
        if not self.lost:
            self._flush()
        found, _ = self.allocated.pop(address)
        return (self._end(OK[0] if found == kind else _Error.cudaErrorInvalidValue),)

    def _end(self, error: _Error = _Error.cudaSuccess) -> _Error:
        if self.lost:
            error = _Error.cudaErrorIllegalAddress
        elif self._captured is not None and error == _Error.cudaErrorMemoryAllocation:
            error = _Error.cudaErrorStreamCaptureUnsupported
        if error:
            self._last = error
        return error
