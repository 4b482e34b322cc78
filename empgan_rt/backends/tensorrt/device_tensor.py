"""Arrays on a GPU: where they are, and how they get there, back, and from row to row."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from .cuda_device import ALIGNMENT, Block, CudaDevice

Array = npt.NDArray[Any]
_FIRST_STAGING = 1 << 16  # bytes


@dataclass(frozen=True)
class DeviceTensor:
    """A C-ordered array in a block.

    Attributes:
        block: its memory, which it keeps.
        offset: of its first byte there.
        shape: its axes.
        dtype: of its elements.
    """

    block: Block
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def address(self) -> int:
        """Device address of the first byte."""
        return self.block.address + self.offset

    @property
    def row_bytes(self) -> int:
        """Bytes of one element of the first axis."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def rows(self, part: slice) -> DeviceTensor:
        """Return some rows, in the same memory."""
        start, stop, _ = part.indices(self.shape[0])
        offset = self.offset + start * self.row_bytes
        return DeviceTensor(self.block, offset, (stop - start, *self.shape[1:]), self.dtype)


class Transfers:
    """Copies to, from and on a device, through pinned memory of the host.

    Args:
        device: the GPU.
    """

    def __init__(self, device: CudaDevice) -> None:
        self.device = device
        self._staging, self._size, self._used = 0, 0, 0  # address and bytes of pinned memory

    def empty(self, shape: Sequence[int], dtype: Any = np.float32) -> DeviceTensor:
        """Return a tensor that holds anything."""
        kind = np.dtype(dtype)
        block = self.device.take(math.prod(shape) * kind.itemsize)
        return DeviceTensor(block, 0, tuple(shape), kind)

    def packed(self, wanted: Mapping[str, tuple[Sequence[int], Any]]) -> dict[str, DeviceTensor]:
        """Return tensors of these shapes and types that hold anything, all in one block."""
        kinds = [np.dtype(kind) for _, kind in wanted.values()]
        shapes = [tuple(shape) for shape, _ in wanted.values()]
        sizes = [math.prod(s) * kind.itemsize for s, kind in zip(shapes, kinds, strict=True)]
        offsets, total = _places(tuple(sizes))
        block = self.device.take(total)
        found = map(DeviceTensor, repeat(block), offsets, shapes, kinds)
        return dict(zip(wanted, found, strict=True))

    def zeros(self, shape: Sequence[int]) -> DeviceTensor:
        """Return a tensor of float32 zeros."""
        tensor = self.empty(shape)
        cuda, size = self.device.cuda, tensor.row_bytes * tensor.shape[0]
        self.device.result(cuda.cudaMemsetAsync(tensor.address, 0, size, self.device.stream))
        return tensor

    def up(self, arrays: Mapping[str, Array]) -> dict[str, DeviceTensor]:
        """Return copies on the GPU, all in one block; the arrays may be changed at once."""
        tensors = self.packed({name: (a.shape, a.dtype) for name, a in arrays.items()})
        _, total = _places(tuple([array.nbytes for array in arrays.values()]))
        start = self._place(total)
        for array, tensor in zip(arrays.values(), tensors.values(), strict=True):
            _host(start + tensor.offset, array.shape, array.dtype)[...] = array
        first = next(iter(tensors.values()))
        cuda = self.device.cuda
        self._copy(first.address, start, total, cuda.cudaMemcpyKind.cudaMemcpyHostToDevice)
        return tensors

    def down(self, tensors: Mapping[str, DeviceTensor]) -> dict[str, Array]:
        """Return copies on the host, when everything before is done."""
        sizes = [tensor.row_bytes * tensor.shape[0] for tensor in tensors.values()]
        offsets, total = _places(tuple(sizes))
        start, cuda = self._place(total), self.device.cuda
        kind = cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        for tensor, offset, size in zip(tensors.values(), offsets, sizes, strict=True):
            self._copy(start + offset, tensor.address, size, kind)
        self.synchronise()
        return {
            name: _host(start + offset, tensor.shape, tensor.dtype).copy()
            for (name, tensor), offset in zip(tensors.items(), offsets, strict=True)
        }

    def rows(
        self, target: DeviceTensor, places: Array, source: DeviceTensor, chosen: Array
    ) -> None:
        """Copy row `chosen[i]` of a tensor to row `places[i]` of another one.

        Where rows are of unlike lengths, the first elements of each are copied.
        """
        device, cuda = self.device, self.device.cuda
        into, out_of = target.row_bytes, source.row_bytes
        for place, row, count in _runs(places.tolist(), chosen.tolist()):
            answer = cuda.cudaMemcpy2DAsync(
                target.address + place * into,
                into,
                source.address + row * out_of,
                out_of,
                min(into, out_of),
                count,
                cuda.cudaMemcpyKind.cudaMemcpyDeviceToDevice,
                device.stream,
            )
            device.result(answer)

    def aligned(self, tensor: DeviceTensor) -> DeviceTensor:
        """Return the tensor, copied if its address is not one that TensorRT takes."""
        if tensor.address % ALIGNMENT == 0:
            return tensor
        copy, cuda = self.empty(tensor.shape, tensor.dtype), self.device.cuda
        size = tensor.row_bytes * tensor.shape[0]
        kind = cuda.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        self._copy(copy.address, tensor.address, size, kind)
        return copy

    def synchronise(self) -> None:
        """Wait until everything is done that was asked for."""
        self.device.synchronise()
        self._used = 0  # of the pinned memory nothing is waited for any more

    def _place(self, size: int) -> int:
        """Return the address of pinned memory that no copy in flight uses."""
        if self._used + size > self._size:
            self.synchronise()
        if size > self._size:
            wanted = max(_FIRST_STAGING, 1 << (size - 1).bit_length())
            self._staging, self._size = self.device.take_pinned(wanted), wanted
        self._used += size
        return self._staging + self._used - size

    def _copy(self, target: int, source: int, size: int, kind: Any) -> None:
        cuda, device = self.device.cuda, self.device
        device.result(cuda.cudaMemcpyAsync(target, source, size, kind, device.stream))


@lru_cache(256)
def _places(sizes: tuple[int, ...]) -> tuple[list[int], int]:
    """Return where pieces of these sizes lie, each aligned, and how much they take together."""
    offsets, total = [], 0
    for size in sizes:
        offsets.append(total)
        total += -(-size // ALIGNMENT) * ALIGNMENT
    return offsets, total


def _runs(places: Sequence[int], rows: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (place, row, count) of the longest pieces that can be copied at once."""
    start = 0
    for i in range(1, len(rows) + 1):
        steps = i - start
        if i == len(rows) or (places[i], rows[i]) != (places[start] + steps, rows[start] + steps):
            yield places[start], rows[start], steps
            start = i


@lru_cache(256)  # a step's arrays are always in the same places
def _host(address: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return an array in memory of the host; it owns none of it."""
    size = math.prod(shape) * dtype.itemsize
    memory = memoryview((ctypes.c_char * size).from_address(address))
    array: Array = np.frombuffer(memory, dtype).reshape(shape)
    return array
