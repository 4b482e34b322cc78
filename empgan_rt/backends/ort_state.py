"""Decoder memory of a number of slots, as NumPy arrays that ONNX Runtime is fed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..graph_spec import STRUCK, FloatArray, IntArray


@dataclass
class OrtState:
    """Decoder memory of S slots of K beams; P is the longest memory among them.

    Attributes:
        hidden: (S, K, H) float32.
        values, keys: (S, P, H) float32, zero where a slot has fewer positions.
        mask: (S, P) float32, 0 where it is read, else STRUCK.
        lengths: (S,) positions of each slot; 0 while a slot is empty.
    """

    hidden: FloatArray
    values: FloatArray
    keys: FloatArray
    mask: FloatArray
    lengths: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, slots: int, beam_size: int, width: int) -> OrtState:
        """Return the state of empty slots."""
        return cls(
            hidden=np.zeros((slots, beam_size, width), np.float32),
            values=np.zeros((slots, 1, width), np.float32),
            keys=np.zeros((slots, 1, width), np.float32),
            mask=np.full((slots, 1), STRUCK, np.float32),
            lengths=np.zeros(slots, np.int64),
        )

    def put(self, slots: IntArray, fresh: Mapping[str, FloatArray]) -> None:
        """Put row i of the context encoder's outputs into slot `slots[i]`, for all its beams."""
        # Columns up to the last one read; the batch may have been padded further.
        columns = np.arange(1, fresh["mask"].shape[1] + 1)
        self.lengths[slots] = ((fresh["mask"] == 0) * columns).max(axis=1)
        length = max(1, int(self.lengths.max()))
        if length != self.mask.shape[1]:
            self._resize(length)
        shared = min(length, fresh["mask"].shape[1])
        self.mask[slots] = STRUCK
        self.mask[slots, :shared] = fresh["mask"][:, :shared]
        for old, new in ((self.values, fresh["values"]), (self.keys, fresh["keys"])):
            old[slots] = 0
            old[slots, :shared] = new[:, :shared]
        self.hidden[slots] = fresh["hidden"][:, None]  # (B, 1, H) to every beam

    def rearranged(self, slots: IntArray, count: int) -> OrtState:
        """Return a state of `count` slots: first these ones as they stand, then empty ones."""
        kept = len(slots)
        other = OrtState.empty(count, *self.hidden.shape[1:])
        other.lengths[:kept] = self.lengths[slots]
        length = max(1, int(other.lengths.max()))
        other._resize(length)
        other.hidden[:kept] = self.hidden[slots]
        other.values[:kept] = self.values[slots, :length]
        other.keys[:kept] = self.keys[slots, :length]
        other.mask[:kept] = self.mask[slots, :length]
        return other

    def _resize(self, length: int) -> None:
        """Cut or pad the memory to `length` positions."""
        missing = max(0, length - self.mask.shape[1])
        pad = ((0, 0), (0, missing))
        self.values = np.pad(self.values[:, :length], (*pad, (0, 0)))
        self.keys = np.pad(self.keys[:, :length], (*pad, (0, 0)))
        self.mask = np.pad(self.mask[:, :length], pad, constant_values=STRUCK)
