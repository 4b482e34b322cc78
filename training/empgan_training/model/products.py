"""Large products in bfloat16 on a CPU, in shapes that come back.

PyTorch's autocast rounds every product. oneDNN compiles a kernel for each new shape, which takes
longer than most products of a training step, and almost every batch of dialogues has shapes of its
own. So only large products are rounded here, rows are filled up to a few counts, and results are
float32: what lies between products is faster in it.
Measured: docs/decisions/0022-products-in-bfloat16.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

LEAST = 1 << 25  # multiplications of a product that pays for rounding its factors
_Place = tuple[int, torch.Size, tuple[int, ...]]  # address, shape and strides
# weights, and what they were rounded to, by their place; None outside the context
_rounded_weights: ContextVar[dict[_Place, tuple[Tensor, Tensor]] | None] = ContextVar(
    "rounded_weights", default=None
)


@contextmanager
def large_in_bfloat16() -> Iterator[None]:
    """Within it, the large products of `linear` and their gradients are computed in bfloat16.

    Each weight is rounded once, so none may change within it.
    """
    token = _rounded_weights.set({})
    try:
        yield
    finally:
        _rounded_weights.reset(token)


class Linear(nn.Linear):
    """`torch.nn.Linear` by `linear`."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (..., N) of inputs (..., K)."""
        return linear(inputs, self.weight, self.bias)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return inputs (..., K) @ weight (N, K)^T + bias (N,), as `torch.nn.functional.linear` does.

    A product that is rounded cannot be differentiated twice.
    """
    if not _rounded(inputs, weight):
        return functional.linear(inputs, weight, bias)
    product: Tensor = _Linear.apply(inputs.flatten(0, -2), weight, bias)  # type: ignore[no-untyped-call]  # PyTorch's own
    return product.view(*inputs.shape[:-1], len(weight))


def rounds() -> bool:
    """Return whether large products are computed in bfloat16 at present, never when compiled."""
    return not torch.compiler.is_compiling() and _rounded_weights.get() is not None


def factor_of(weight: Tensor) -> Tensor:
    """Return a weight as it is multiplied at present: rounded, or as it is."""
    known = _rounded_weights.get()
    if known is None:
        return weight
    place = (weight.data_ptr(), weight.shape, weight.stride())
    if place not in known:
        known[place] = weight, weight.detach().to(torch.bfloat16)
    return known[place][1]


def pairs_summed(left: Tensor, right: Tensor, *, rounded: bool) -> Tensor:
    """Return left (R, N)^T @ right (R, K), in bfloat16 if wanted and large enough."""
    if not rounded or left.numel() * right.shape[1] < LEAST:
        return left.t() @ right
    return (filled_up(left).t() @ filled_up(right)).float()


def filled_up(vectors: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Return vectors (R, W) as bfloat16 with rows of zeros up to one of eight counts an octave.

    As any other type they are returned with no rows more.
    """
    if dtype != torch.bfloat16:
        return vectors.to(dtype)
    rows, width = vectors.shape
    grain = max(16, 1 << max(0, rows.bit_length() - 4))
    filled = torch.empty(-(-rows // grain) * grain, width, dtype=dtype)
    filled[:rows] = vectors
    filled[rows:] = 0
    return filled


def _rounded(inputs: Tensor, weight: Tensor) -> bool:
    return (
        rounds()
        and inputs.device.type == "cpu"
        and inputs.dtype == torch.float32
        and inputs.numel() * len(weight) >= LEAST
    )


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        filled, rounded = filled_up(inputs), factor_of(weight)
        ctx.save_for_backward(filled, rounded)
        ctx.rows, ctx.has_bias = len(inputs), bias is not None
        product = (filled @ rounded.t())[: len(inputs)].float()
        return product if bias is None else product.add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        filled = filled_up(gradient)
        of_inputs, of_weight, of_bias = ctx.needs_input_grad
        return (
            (filled @ weight)[: ctx.rows].float() if of_inputs else None,
            (filled.t() @ inputs).float() if of_weight else None,
            gradient.sum(0) if of_bias and ctx.has_bias else None,
        )
