"""What crosses between host and device at a decoder step: one copy up, one copy down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from empgan_rt.graph_spec import Candidates, IntArray

_ALIGNED = 4  # numbers: kernels read 16 bytes at once


class Parcel:
    """Arrays of given shapes, one behind the other in a flat tensor.

    Args:
        shapes: of the arrays, in their order.

    Attributes:
        size: numbers in the tensor.
    """

    def __init__(self, shapes: Iterable[tuple[int, ...]]) -> None:
        self._places: list[tuple[int, tuple[int, ...]]] = []
        self.size = 0
        for shape in shapes:
            self._places.append((self.size, shape))
            self.size += -(-prod(shape) // _ALIGNED) * _ALIGNED

    def parts(self, whole: Tensor) -> list[Tensor]:
        """Return the arrays as views of the tensor."""
        return [whole[start : start + prod(shape)].view(shape) for start, shape in self._places]

    def fill(self, whole: Tensor, arrays: Sequence[IntArray]) -> None:
        """Write the arrays into a tensor on the host."""
        for part, array in zip(self.parts(whole), arrays, strict=True):
            part.numpy()[...] = array


def sent(arrays: Sequence[IntArray], device: torch.device) -> list[Tensor]:
    """Return int32 arrays as tensors on a device; to a GPU they go together, from pinned memory."""
    if device.type == "cpu":
        return [torch.tensor(array) for array in arrays]
    parcel = Parcel(array.shape for array in arrays)
    pinned = torch.zeros(parcel.size, dtype=torch.int32, pin_memory=True)
    parcel.fill(pinned, arrays)
    # PyTorch uses pinned memory again only when the copy is over.
    return parcel.parts(pinned.to(device, non_blocking=True))


def fetched(token_ids: Tensor, log_probs: Tensor) -> Candidates:
    """Return (B, K, C) candidates on the host; from a GPU they come together."""
    log_probs = log_probs.float()
    if token_ids.device.type == "cpu":
        return Candidates(token_ids.numpy(), log_probs.numpy())
    return unpacked(torch.stack([token_ids, log_probs.view(torch.int32)]).cpu())


def unpacked(both: Tensor) -> Candidates:
    """Return candidates of (2, B, K, C) int32: ids, and the bits of float32 log-probabilities."""
    token_ids, bits = both.numpy()
    return Candidates(token_ids, bits.view(np.float32))
