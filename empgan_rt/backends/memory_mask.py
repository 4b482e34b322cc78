"""Which memory positions of each slot are read: the host's book of it, wherever the memory lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..graph_spec import STRUCK, FloatArray, IntArray


@dataclass
class MemoryMask:
    """The positions of S slots.

    Attributes:
        mask: (S, P) float32, 0 where memory is read, else STRUCK; P is the longest memory, or 1.
        lengths: (S,) positions of each slot; 0 while a slot is empty.
    """

    mask: FloatArray
    lengths: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, slots: int) -> MemoryMask:
        """Return the mask of empty slots."""
        return cls(np.full((slots, 1), STRUCK, np.float32), np.zeros(slots, np.int64))

    @property
    def width(self) -> int:
        """P, the longest memory of any slot, or 1."""
        return len(self.mask[0])

    def admitted(self, slots: IntArray, fresh: FloatArray) -> MemoryMask:
        """Return the mask with row i of another one (B, Q) in slot `slots[i]`; P follows."""
        lengths = self.lengths.copy()
        # Columns up to the last one read; the batch may have been padded further.
        columns = np.arange(1, fresh.shape[1] + 1)
        lengths[slots] = ((fresh == 0) * columns).max(axis=1)
        width = _longest(lengths)
        mask = fitted(self.mask, width, STRUCK).copy()
        mask[slots] = fitted(fresh, width, STRUCK)
        return MemoryMask(mask, lengths)

    def rearranged(self, slots: IntArray, count: int) -> MemoryMask:
        """Return the mask of `count` slots: first these ones as they stand, then empty ones."""
        lengths = np.zeros(count, np.int64)
        lengths[: len(slots)] = self.lengths[slots]
        width = _longest(lengths)
        mask = np.full((count, width), STRUCK, np.float32)
        mask[: len(slots)] = self.mask[slots, :width]
        return MemoryMask(mask, lengths)


def fitted(array: FloatArray, width: int, fill: float = 0.0) -> FloatArray:
    """Return an array whose axis 1 is cut or padded to `width`; itself if that is its width."""
    missing = width - array.shape[1]
    if missing == 0:
        return array
    pad = [(0, max(0, missing)) if axis == 1 else (0, 0) for axis in range(array.ndim)]
    return np.pad(array[:, :width], pad, constant_values=fill)


def _longest(lengths: npt.NDArray[np.int64]) -> int:
    return max(1, int(lengths.max()))
