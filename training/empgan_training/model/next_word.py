"""The next word, Eq. 7, in tiles on a CPU: cross entropy and draws.

The logits of a batch are the largest matrix of a training step. PyTorch writes it, its
log-softmax and two gradients of its size; here each tile of it becomes its own gradient.
Measured: docs/decisions/0022-products-in-bfloat16.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from .products import factor_of, filled_up, linear

TILE = 1 << 19  # logits of one tile: 2 MB in float32


class TiedLinear(nn.Module):
    """A linear layer whose weight is an embedding's; its own is the bias alone."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self._embedding = [embedding]  # in a list, so that its weight is not stored twice
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))

    @property
    def weight(self) -> Tensor:
        """The embedding's (V, E), whatever stands there at present."""
        return self._embedding[0].weight

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (..., V) of inputs (..., E)."""
        return linear(inputs, self.weight, self.bias)


def summed_nats(states: Tensor, layer: nn.Linear | TiedLinear, targets: Tensor) -> Tensor:
    """Return the sum of -log P(target) under softmax(layer(states)), a scalar.

    On a CPU it cannot be differentiated twice.

    Args:
        states: (W, H).
        layer: the vocabulary's, with a bias.
        targets: (W,) ids.
    """
    if states.is_cuda:
        return functional.cross_entropy(layer(states).float(), targets, reduction="sum")
    nats: Tensor = _SummedNats.apply(states, layer.weight, layer.bias, targets)  # type: ignore[no-untyped-call]  # PyTorch's own
    return nats


def drawn_ids(states: Tensor, layer: nn.Linear | TiedLinear, never: Sequence[int]) -> Tensor:
    """Return ids (W,) drawn from softmax(layer(states)), without gradients.

    Args:
        states: (W, H).
        layer: the vocabulary's, with a bias.
        never: ids that are not drawn.
    """
    with torch.no_grad():
        points = torch.rand(len(states), 1, device=states.device)
        if states.is_cuda:
            return _at_points(layer(states).float(), points, never)
        factor = factor_of(layer.weight)
        logits = filled_up(states, factor.dtype) @ factor.t()
        tiles = _tiles(logits, layer.bias, points)
        return torch.cat([_at_points(tile, some, never) for _, tile, some in tiles])


def _at_points(logits: Tensor, points: Tensor, never: Sequence[int]) -> Tensor:
    """Return the ids (W,) at points (W, 1) from 0 to 1 of the distributions of logits (W, V)."""
    for word in never:
        logits[:, word] = -torch.inf
    cumulated = torch.softmax(logits, dim=-1).cumsum(-1)
    ids = torch.searchsorted(cumulated, points * cumulated[:, -1:], right=True).squeeze(1)
    return ids.clamp(max=logits.shape[-1] - 1)  # where rounding has met the very end


def _tiles(
    products: Tensor, bias: Tensor, beside: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield some rows of the products (R, V), their logits, and the same rows of (W, 1) beside."""
    at_once = max(1, TILE // len(bias))
    parts = (torch.split(each, at_once) for each in (products[: len(beside)], beside))
    for part, some in zip(*parts, strict=True):
        yield part, part + bias, some


class _SummedNats(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        factor = factor_of(weight)
        filled = filled_up(states, factor.dtype)
        products = filled @ factor.t()  # become their own gradient
        of_bias, nats = torch.zeros_like(bias), bias.new_zeros(())
        for part, logits, some in _tiles(products, bias, targets.unsqueeze(1)):
            log_probs = torch.log_softmax(logits, dim=-1)
            nats -= log_probs.gather(1, some).sum()
            if ctx.needs_input_grad[0]:
                towards = log_probs.exp_()
                towards.scatter_add_(1, some, towards.new_full(some.shape, -1.0))
                of_bias += towards.sum(0)
                part.copy_(towards)
        ctx.save_for_backward(products, filled, factor, of_bias)
        ctx.rows = len(states)
        return nats

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        towards, states, weight, of_bias = ctx.saved_tensors
        of_states = (towards @ weight)[: ctx.rows].to(scale.dtype).mul_(scale)
        of_weight = (towards.t() @ states).to(scale.dtype).mul_(scale)
        return of_states, of_weight, of_bias * scale, None
