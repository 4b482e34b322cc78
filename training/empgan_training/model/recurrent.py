"""PyTorch's own recurrences, kept in float32 on a GPU.

Under autocast, whatever its type, cuDNN's LSTM and GRU run in float16 there, whose gradients
vanish unless losses are scaled (PyTorch's `aten/src/ATen/cudnn/AutocastRNN.cpp`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


def run_recurrence(
    run: Callable[..., Result], weight: Tensor, *inputs: Tensor | tuple[Tensor, ...] | None
) -> Result:
    """Return `run(*inputs)`, on a GPU without autocast and in the type of the weights.

    Args:
        weight: one of the recurrence's own.
        inputs: as `run` takes them; tuples of states are cast, too.
    """
    if not weight.is_cuda:
        return run(*inputs)
    with torch.autocast("cuda", enabled=False):
        return run(*(_cast(each, weight.dtype) for each in inputs))


def _cast(
    value: Tensor | tuple[Tensor, ...] | None, dtype: torch.dtype
) -> Tensor | tuple[Tensor, ...] | None:
    if isinstance(value, tuple):
        return tuple(each.to(dtype) for each in value)
    return value if value is None else value.to(dtype)
