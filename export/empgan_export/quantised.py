"""The int8 variant in PyTorch: the reference that its graph is measured against."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from empgan_training.model.generator import Generator

from .vocabulary_layer import LEAST_RANGE, ROW_LEVELS, WEIGHT_LEVELS


class QuantisedLinear(nn.Module):
    """A linear layer of integers: weights with a scale for each output, inputs for each row.

    Sums of a thousand products of 127 by 63 are whole numbers below 2^24, so float32 computes
    them exactly, in any order.

    Args:
        linear: the layer whose weights (V, H) and bias (V) are rounded.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        self.scale = _range(weight).squeeze(-1) / WEIGHT_LEVELS  # (V,)
        self.weight = (weight / self.scale.unsqueeze(-1)).round()
        self.bias = linear.bias.detach()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (..., V) for inputs of (..., H)."""
        scale = _range(inputs) / ROW_LEVELS
        levels = (inputs / scale).round()
        return levels @ self.weight.T * self.scale * scale + self.bias


def quantised(generator: Generator) -> Generator:
    """Return a copy of a generator whose vocabulary layer (Eq. 7) is one of integers."""
    other = copy.deepcopy(generator)
    other.decoder.add_module("vocabulary", QuantisedLinear(generator.decoder.vocabulary))
    return other


def _range(values: Tensor) -> Tensor:
    """Return the greatest size along the last axis, kept, and never 0."""
    return torch.clamp(values.abs().amax(-1, keepdim=True), min=LEAST_RANGE)
