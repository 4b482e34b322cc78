"""The scores of additive attention, Eq. 3, for whole replies on a CPU.

Every step of a reply meets every position of its context in a vector of its own,
tanh(W_s g + W_d d). PyTorch keeps all of them for the backward pass, hundreds of MB where words are
attended to. Here they are computed in tiles that stay in the processor's cache, and once more for
the gradient.
Measured: docs/decisions/0020-attention-in-tiles.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

TILE = 1 << 18  # numbers of one tile: 1 MB in float32


def additive_scores(query: Tensor, keys: Tensor, direction: Tensor) -> Tensor:
    """Return z . tanh(W_s g_i + W_d d_t), (T, M), of each step t and position i.

    Args:
        query: (T, H), W_d d of each step.
        keys: (M, H), W_s g of each position, of the same type.
        direction: (H,), z, of the same type.
    """
    scores: Tensor = _Scores.apply(query, keys, direction)  # type: ignore[no-untyped-call]
    return scores


def _tiles(query: Tensor, keys: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield some steps and their tanh(...) (t, M, H), in memory that the next one overwrites."""
    steps, (positions, width) = len(query), keys.shape
    at_once = min(steps, max(1, TILE // max(1, positions * width)))
    tile = query.new_empty(at_once, positions, width)
    for start in range(0, steps, at_once):
        some = slice(start, min(start + at_once, steps))
        part = tile[: some.stop - start]
        torch.add(query[some].unsqueeze(1), keys, out=part)
        yield some, part.tanh_()


class _Scores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, direction: Tensor) -> Tensor:
        ctx.save_for_backward(query, keys, direction)
        scores = query.new_empty(len(query), len(keys))
        for some, energy in _tiles(query, keys):
            torch.matmul(energy, direction, out=scores[some])
        return scores

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of query, keys and z.

        Of one entry of tanh it is ds z (1 - tanh^2); z is the same everywhere, so that sums of
        ds tanh^2 over positions and over steps are all that a tile has to give.
        """
        query, keys, direction = ctx.saved_tensors
        of_query = torch.empty_like(query)
        squares_of_keys = torch.zeros_like(keys)
        of_direction = torch.zeros_like(direction)
        for some, energy in _tiles(query, keys):
            part = gradient[some]
            of_direction += part.flatten() @ energy.flatten(0, 1)
            energy.square_().mul_(part.unsqueeze(-1))
            torch.sub(part.sum(1, keepdim=True), energy.sum(1), out=of_query[some])
            squares_of_keys += energy.sum(0)
        of_keys = gradient.sum(0).unsqueeze(1) - squares_of_keys
        return of_query * direction, of_keys * direction, of_direction
