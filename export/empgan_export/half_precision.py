"""The fp16 variant in PyTorch: states and products in float16, the decoder's softmaxes in float32.

The model itself keeps its masks in float32, and the softmax over a masked memory follows them. Here
the logits do: their product is rounded to float16, and bias, log-softmax and the choice of words
come after it. So no constant like STRUCK meets a float16.

Why: docs/decisions/0016-half-precision.md.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from empgan_rt.errors import CheckpointError
from empgan_training.model.generator import Generator
from empgan_training.model.next_word import TiedLinear


class HalfVocabulary(nn.Module):
    """Eq. 7 with a product of float16 and logits of float32.

    Args:
        layer: a linear layer of float16, whose parameters it keeps.
    """

    def __init__(self, layer: nn.Linear | TiedLinear) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, output: Tensor) -> Tensor:
        """Return the logits (..., V) of d^o (..., H)."""
        return functional.linear(output, self.weight).float() + self.bias.float()


def in_float16(generator: Generator) -> Generator:
    """Return a copy of a generator with its weights rounded to float16.

    Raises:
        CheckpointError: a weight is out of range.
    """
    other = copy.deepcopy(generator).half()
    for name, parameter in other.named_parameters():
        if not torch.isfinite(parameter).all():
            raise CheckpointError(
                f"{name} exceeds float16",
                hint="export with --weights fp32 and without --precision fp16",
            )
    return other


def halved(generator: Generator) -> Generator:
    """Return a copy of a generator that encodes and decodes in float16, up to its logits.

    Raises:
        CheckpointError: a weight is out of range.
    """
    other = in_float16(generator)
    other.decoder.add_module("vocabulary", HalfVocabulary(other.decoder.vocabulary))
    return other
