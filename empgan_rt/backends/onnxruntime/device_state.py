"""Decoder memory of a number of slots, as tensors that stay on the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graph_spec import FloatArray, IntArray
from ..memory_mask import MemoryMask
from .device_rows import DeviceRows
from .device_session import OrtValue


@dataclass
class DeviceState:
    """The counterpart of `OrtState` on a device; the host keeps the book of who reads what.

    Attributes:
        device: where the tensors are.
        reads: which positions each slot has.
        hidden: (S, K, H).
        values, keys: (S, P, H); behind a slot's own positions, anything finite.
        mask: (S, P), a copy of `reads.mask`.
    """

    device: DeviceRows
    reads: MemoryMask
    hidden: OrtValue
    values: OrtValue
    keys: OrtValue
    mask: OrtValue

    @classmethod
    def empty(cls, device: DeviceRows, slots: int, beam_size: int, width: int) -> DeviceState:
        """Return the state of empty slots."""
        reads = MemoryMask.empty(slots)
        return cls(
            device,
            reads,
            hidden=device.uploaded(np.zeros((slots, beam_size, width), np.float32)),
            values=device.uploaded(np.zeros((slots, 1, width), np.float32)),
            keys=device.uploaded(np.zeros((slots, 1, width), np.float32)),
            mask=device.uploaded(reads.mask),
        )

    @property
    def rows(self) -> tuple[int, int]:
        """The numbers of slots and of beams, (S, K)."""
        slots, beams, _ = self.hidden.shape()
        return slots, beams

    def put(self, slots: IntArray, fresh: Mapping[str, Any]) -> None:
        """Put row i of the context encoder's outputs into slot `slots[i]`, for all its beams.

        Raises:
            ProviderError: the device failed; all slots are as they were.
        """
        reads = self.reads.admitted(slots, fresh["mask"])
        rows = np.arange(self.rows[0], dtype=np.int32)
        rows[slots] = len(rows) + np.arange(len(slots))
        joined, (_, beams) = self.device.joined, self.rows
        values = joined(self.values, fresh["values"], rows, reads.width)
        keys = joined(self.keys, fresh["keys"], rows, reads.width)
        hidden = joined(self.hidden, fresh["hidden"][:, None], rows, beams)  # (B, 1, H)
        mask = self.device.uploaded(reads.mask)
        self.reads, self.values, self.keys = reads, values, keys
        self.hidden, self.mask = hidden, mask

    def rearranged(self, slots: IntArray, count: int) -> DeviceState:
        """Return a state of `count` slots: first these ones as they stand, then empty ones."""
        (old_count, beams), joined = self.rows, self.device.joined
        reads = self.reads.rearranged(slots, count)
        rows = np.full(count, old_count, np.int32)  # the row behind the last one is blank
        rows[: len(slots)] = slots
        blank: FloatArray = np.zeros((1, 1, self.hidden.shape()[2]), np.float32)
        return DeviceState(
            self.device,
            reads,
            hidden=joined(self.hidden, blank, rows, beams),
            values=joined(self.values, blank, rows, reads.width),
            keys=joined(self.keys, blank, rows, reads.width),
            mask=self.device.uploaded(reads.mask),
        )
