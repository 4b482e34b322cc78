"""One GPU as this process uses it: a stream, memory that is used again, and errors in words.

All work goes through one stream, in the order of the calls. So memory may be used again as soon as
no object holds it, whatever the GPU is still at. Everything is freed at `close`, or when the device
is forgotten.
"""

from __future__ import annotations

import logging
import weakref
from typing import Any

from ...errors import InputError, ProviderError
from ...threads import ProcessGuard

ALIGNMENT = 256  # of a tensor's address, in bytes: TensorRT asks for it
_SMALLEST = 512  # bytes of a block

_log = logging.getLogger(__name__)


class Block:
    """A piece of memory; to be used again once nothing refers to it any more.

    Attributes:
        address: of its first byte, aligned to `ALIGNMENT`.
        size: in bytes.
    """

    def __init__(self, address: int, size: int, idle: list[int]) -> None:
        self.address, self.size, self._idle = address, size, idle

    def __del__(self) -> None:
        self._idle.append(self.address)


class CudaDevice:
    """The GPU that is current when this is made, and what is allocated on it.

    Args:
        cuda: the module `cuda.bindings.runtime`.

    Attributes:
        cuda: that module.
        stream: CUDA's handle; it waits for no other stream.

    Raises:
        ProviderError: the GPU cannot be used.
    """

    def __init__(self, cuda: Any) -> None:
        self.cuda = cuda
        self._lost = self._closed = False
        self._guard = ProcessGuard()
        self._index = self.result(cuda.cudaGetDevice())
        self.stream = self.result(cuda.cudaStreamCreateWithFlags(cuda.cudaStreamNonBlocking))
        self._idle: dict[int, list[int]] = {}  # addresses of free blocks by size
        self._device: list[int] = []
        self._pinned: list[int] = []
        self._free_all = weakref.finalize(
            self, _free, cuda, self.stream, self._device, self._pinned, self._guard
        )

    @property
    def handle(self) -> int:
        """The stream as a number, as TensorRT takes it."""
        return int(self.stream)

    def ready(self) -> None:
        """Make the GPU current in this thread; to be called before anything else is.

        Raises:
            InputError: the device is closed.
            ProviderError: it is lost, or this process was forked since.
        """
        if self._closed:
            raise InputError("the backend is closed", hint="load the model again")
        self._guard.check()
        if self._lost:
            raise self.gone("an earlier call failed")
        self.result(self.cuda.cudaSetDevice(self._index))

    def take(self, size: int) -> Block:
        """Return device memory of at least `size` bytes, which holds anything.

        Raises:
            ProviderError: there is not enough, even after what is idle was given back.
        """
        size = max(_SMALLEST, 1 << (size - 1).bit_length()) if size else _SMALLEST
        idle = self._idle.setdefault(size, [])
        if idle:
            return Block(idle.pop(), size, idle)
        cuda = self.cuda
        error, address = cuda.cudaMalloc(size)
        if error == cuda.cudaError_t.cudaErrorMemoryAllocation:
            cuda.cudaGetLastError()  # it is dealt with
            self._give_back()
            error, address = cuda.cudaMalloc(size)
        self.result((error,))
        self._device.append(int(address))
        return Block(int(address), size, idle)

    def take_pinned(self, size: int) -> int:
        """Return the address of memory of the host that the GPU can reach, kept until `close`.

        Raises:
            ProviderError: there is not enough.
        """
        address = int(self.result(self.cuda.cudaMallocHost(size)))
        self._pinned.append(address)
        return address

    def synchronise(self) -> None:
        """Wait until everything is done that was asked for.

        Raises:
            ProviderError: the GPU failed at it.
        """
        self.result(self.cuda.cudaStreamSynchronize(self.stream))

    def result(self, answer: tuple[Any, ...]) -> Any:
        """Return what a call of CUDA returned beside its error.

        Raises:
            ProviderError: it failed.
        """
        error, *values = answer
        if error != self.cuda.cudaError_t.cudaSuccess:
            raise self.failure(error)
        return values[0] if values else None

    def failure(self, error: Any) -> ProviderError:
        """Return what to raise of a CUDA error; from here on the device may count as lost."""
        if not self.works():
            return self.gone(error.name)
        if error == self.cuda.cudaError_t.cudaErrorMemoryAllocation:
            return out_of_memory()
        return ProviderError(
            f"CUDA refused a call: {error.name}", hint="run `empgan-rt inspect --verify`"
        )

    def works(self) -> bool:
        """Return whether the GPU still does, after something failed."""
        cuda = self.cuda
        cuda.cudaGetLastError()  # forgets the failure, unless it is for good
        (after,) = cuda.cudaDeviceSynchronize()
        self._lost = after != cuda.cudaError_t.cudaSuccess
        return not self._lost

    def gone(self, why: str) -> ProviderError:
        """Return what to raise when nothing works any more."""
        return ProviderError(
            f"the GPU is lost to this process: {why}",
            hint="start the process again; if it comes back, `dmesg | grep Xid` tells more",
        )

    def close(self) -> None:
        """Free everything; further calls raise InputError. Nothing is raised if the GPU is lost."""
        self._closed = True
        self._free_all()

    def _give_back(self) -> None:
        """Free what nobody holds."""
        for idle in self._idle.values():
            while idle:
                address = idle.pop()
                self._device.remove(address)
                self.result(self.cuda.cudaFree(address))  # waits until nothing uses it


def out_of_memory() -> ProviderError:
    """Return what to raise when the GPU's memory is full."""
    return ProviderError(
        "the GPU's memory is full",
        hint="use smaller batches (max_running, batch size), fewer beams or shorter dialogues,\n"
        "or free it of other programs (see nvidia-smi)",
    )


def _free(
    cuda: Any, stream: Any, device: list[int], pinned: list[int], guard: ProcessGuard
) -> None:
    """Free memory and stream; what fails is logged, since there is nothing left to lose."""
    if not guard.is_here:
        return  # a forked child has the numbers, and no right to use them
    answers = [cuda.cudaStreamSynchronize(stream)]
    answers += [cuda.cudaFree(address) for address in device]
    answers += [cuda.cudaFreeHost(address) for address in pinned]
    answers.append(cuda.cudaStreamDestroy(stream))
    device.clear()
    pinned.clear()
    for (error,) in answers:
        if error != cuda.cudaError_t.cudaSuccess:
            _log.debug("at the end: %s", error.name)
