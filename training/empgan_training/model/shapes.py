"""What a generator of some sizes is made of, found without the memory that it would take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from empgan_rt.config import GeneratorConfig

from .generator import Generator

Shapes = Mapping[str, tuple[torch.dtype, torch.Size]]
_FILLS = ("fill_", "kaiming_uniform_", "normal_", "uniform_", "zero_")


class _Unfilled(TorchFunctionMode):
    """Leaves tensors without memory unfilled: PyTorch takes seconds to get ready to fill them."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if getattr(function, "__name__", "") in _FILLS:
            return given["tensor"] if "tensor" in given else args[0]
        return function(*args, **given)


def shapes_of(tensors: Mapping[str, Tensor]) -> Shapes:
    """Return the dtype and the shape of each tensor."""
    return {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}


def generator_shapes(config: GeneratorConfig) -> Shapes:
    """Return the dtype and the shape of each weight of a generator; no random number is drawn."""
    with torch.device("meta"), _Unfilled():
        return shapes_of(Generator(config).state_dict())
