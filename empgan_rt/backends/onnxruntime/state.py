"""Decoder memory of a number of slots, as NumPy arrays that ONNX Runtime is fed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...graph_spec import FloatArray, IntArray
from ..memory_mask import MemoryMask, fitted


@dataclass
class OrtState:
    """Decoder memory of S slots of K beams; P is the longest memory among them.

    Attributes:
        reads: which positions each slot has.
        hidden: (S, K, H) float32.
        values, keys: (S, P, H) float32, zero where a slot has fewer positions.
    """

    reads: MemoryMask
    hidden: FloatArray
    values: FloatArray
    keys: FloatArray

    @classmethod
    def empty(cls, slots: int, beam_size: int, width: int) -> OrtState:
        """Return the state of empty slots."""
        return cls(
            MemoryMask.empty(slots),
            hidden=np.zeros((slots, beam_size, width), np.float32),
            values=np.zeros((slots, 1, width), np.float32),
            keys=np.zeros((slots, 1, width), np.float32),
        )

    @property
    def rows(self) -> tuple[int, int]:
        """The numbers of slots and of beams, (S, K)."""
        return self.hidden.shape[0], self.hidden.shape[1]

    @property
    def mask(self) -> FloatArray:
        """The mask of each slot, (S, P) float32: 0 where memory is read."""
        return self.reads.mask

    def put(self, slots: IntArray, fresh: Mapping[str, FloatArray]) -> None:
        """Put row i of the context encoder's outputs into slot `slots[i]`, for all its beams."""
        self.reads = self.reads.admitted(slots, fresh["mask"])
        self.values = self._with(self.values, slots, fresh["values"])
        self.keys = self._with(self.keys, slots, fresh["keys"])
        self.hidden[slots] = fresh["hidden"][:, None]  # (B, 1, H) to every beam

    def rearranged(self, slots: IntArray, count: int) -> OrtState:
        """Return a state of `count` slots: first these ones as they stand, then empty ones."""
        reads = self.reads.rearranged(slots, count)
        kept = [
            _closed_up(old, slots, count)
            for old in (self.hidden, self.values[:, : reads.width], self.keys[:, : reads.width])
        ]
        return OrtState(reads, *kept)

    def _with(self, old: FloatArray, slots: IntArray, new: FloatArray) -> FloatArray:
        """Return memory as wide as the mask, with some rows replaced."""
        memory = fitted(old, self.reads.width)
        memory[slots] = fitted(new, self.reads.width)
        return memory


def _closed_up(old: FloatArray, slots: IntArray, count: int) -> FloatArray:
    """Return `count` rows: first these ones, then zeros."""
    new = np.zeros((count, *old.shape[1:]), np.float32)
    new[: len(slots)] = old[slots]
    return new
