"""Decoder memory of a number of slots, as tensors on a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graph_spec import IntArray
from ..memory_mask import MemoryMask
from .device_tensor import DeviceTensor, Transfers


@dataclass
class TrtState:
    """Decoder memory of S slots of K beams; the host keeps the book of who reads what.

    Attributes:
        transfers: of the GPU where the tensors are.
        reads: which positions each slot has.
        hidden: (S, K, H) float32.
        values, keys: (S, P, H) float32; behind a slot's own positions, anything finite.
        mask: (S, P) float32, a copy of `reads.mask`.
    """

    transfers: Transfers
    reads: MemoryMask
    hidden: DeviceTensor
    values: DeviceTensor
    keys: DeviceTensor
    mask: DeviceTensor

    @classmethod
    def empty(cls, transfers: Transfers, slots: int, beam_size: int, width: int) -> TrtState:
        """Return the state of empty slots."""
        transfers.device.ready()
        reads = MemoryMask.empty(slots)
        return cls(
            transfers,
            reads,
            hidden=transfers.zeros((slots, beam_size, width)),
            values=transfers.zeros((slots, reads.width, width)),
            keys=transfers.zeros((slots, reads.width, width)),
            mask=transfers.up({"mask": reads.mask})["mask"],
        )

    @property
    def rows(self) -> tuple[int, int]:
        """The numbers of slots and of beams, (S, K)."""
        slots, beams, _ = self.hidden.shape
        return slots, beams

    def put(self, slots: IntArray, fresh: Mapping[str, Any]) -> None:
        """Put row i of the context encoder's outputs into slot `slots[i]`, for all its beams.

        Raises:
            ProviderError: the GPU failed; other slots are as they were.
        """
        transfers = self.transfers
        transfers.device.ready()
        reads = self.reads.admitted(slots, fresh["mask"])
        beams = self.rows[1]
        hidden = np.repeat(fresh["hidden"][:, None], beams, axis=1)  # (B, H) to (B, K, H)
        sent = transfers.up({"mask": reads.mask, "hidden": hidden})
        values = self._widened(self.values, reads.width)
        keys = self._widened(self.keys, reads.width)
        rows = np.arange(len(slots))
        for target, source in (
            (values, fresh["values"]),
            (keys, fresh["keys"]),
            (self.hidden, sent["hidden"]),
        ):
            transfers.rows(target, slots, source, rows)
        self.reads, self.values, self.keys, self.mask = reads, values, keys, sent["mask"]

    def rearranged(self, slots: IntArray, count: int) -> TrtState:
        """Return a state of `count` slots: first these ones as they stand, then empty ones."""
        transfers = self.transfers
        transfers.device.ready()
        reads = self.reads.rearranged(slots, count)
        _, beams, width = self.hidden.shape
        return TrtState(
            transfers,
            reads,
            hidden=self._gathered(self.hidden, slots, (count, beams, width)),
            values=self._gathered(self.values, slots, (count, reads.width, width)),
            keys=self._gathered(self.keys, slots, (count, reads.width, width)),
            mask=transfers.up({"mask": reads.mask})["mask"],
        )

    def _widened(self, memory: DeviceTensor, width: int) -> DeviceTensor:
        """Return memory of `width` positions: the same if it has as many, else a copy."""
        slots, positions, hidden = memory.shape
        if positions == width:
            return memory
        return self._gathered(memory, np.arange(slots, dtype=np.int32), (slots, width, hidden))

    def _gathered(
        self, source: DeviceTensor, slots: IntArray, shape: tuple[int, ...]
    ) -> DeviceTensor:
        """Return a tensor of this shape: first these rows, as far as they reach, then zeros."""
        target = self.transfers.zeros(shape)
        self.transfers.rows(target, np.arange(len(slots)), source, slots)
        return target
