"""Dropout whose mask a CPU draws four entries at a time.

PyTorch draws each entry's number by itself, on one thread: a tenth of a training step of systems
that read words in their context (docs/decisions/0022-products-in-bfloat16.md).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_LEVELS = 1 << 16  # of the probability, which is rounded to one of them


class Dropout(nn.Dropout):
    """`torch.nn.Dropout`, with other draws of the same generator on a CPU."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs of any shape, entries dropped and the others scaled up in training."""
        dropped = round(self.p * _LEVELS)
        if not self.training or inputs.device.type != "cpu" or dropped in (0, _LEVELS):
            return super().forward(inputs)
        kept = _sixteen_bits(inputs.numel()).view(inputs.shape) >= dropped - _LEVELS // 2
        masked: Tensor = _Masked.apply(inputs, kept, _LEVELS / (_LEVELS - dropped))  # type: ignore[no-untyped-call]  # PyTorch's own
        return masked


def _sixteen_bits(count: int) -> Tensor:
    """Return (count,) draws from all numbers of 16 bits, signed."""
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.int16)[:count]


class _Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return (inputs * kept).mul_(scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return (gradient * kept).mul_(ctx.scale), None, None
