"""The int8 variant in PyTorch: the large products of a decoder step in integers.

Inputs whose range is known have one scale for all rows: states of a GRU that starts from a tanh lie
within -1 and 1, and how large d^o gets is found out by running the generator (`output_range`);
what exceeds that is cut off. Embeddings have a scale for each row, weights one for each output. So
a row's result does not depend on its company: integer sums are exact. One side of a product has 8
bits and the other 7, because processors without VNNI add pairs of products in 16 bits, and no more
than 2 x 127 x 127 or 2 x 63 x 255 fits: of d^o the inputs have 8, elsewhere the weights. The best
words of a step are computed again in float32.

The vocabulary's bias is part of the product: `BIAS_COLUMNS` inputs more have the level `BIAS_LEVEL`
in every row. Added behind it, it would be another pass over [rows, vocabulary].

`to_onnx` translates `int8_product` to integer operators. The rounded weights are computed from the
stored ones when a session is made.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from empgan_rt.graph_spec import STRUCK
from empgan_training.eager import EagerBackend, EagerState, descended
from empgan_training.model.generator import Generator
from empgan_training.model.gru import GRU, gated

from .best_words import MOST_RESCORED, RESCORED
from .output_range import output_range

FEW_LEVELS, MANY_LEVELS = 63, 127  # on either side of 0: of one side of a product, and the other
LEAST_RANGE = 1e-6  # of an output's weights or of a row, so that zeros have a scale
STATE_RANGE = 1.0  # no state of a GRU is larger than the larger of its first one and 1
BIAS_COLUMNS, BIAS_LEVEL = 8, 8  # a bias is rounded to 8 levels of the products, at most 4032


class QuantisedLinear(nn.Module):
    """A linear layer of integers.

    Sums of a thousand products of 127 by 64 are whole numbers below 2^24, so float32 computes
    them exactly, in any order.

    Args:
        weight: (W, H), to be rounded.
        bias: (W,), added in float32; None for none.
        input_range: greatest size of any input; larger ones are cut off. 0 takes each row's own.
        input_levels: of inputs, FEW_LEVELS or MANY_LEVELS; the weight has the other number.
        rounds_bias: whether the bias is rounded too, and part of the product.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        input_range: float,
        input_levels: int = FEW_LEVELS,
        *,
        rounds_bias: bool = False,
    ) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias
        self.rounding = input_range / input_levels, input_levels  # a step of 0: a row's own
        self.inside = bias if rounds_bias else None
        inside = None if self.inside is None else self.inside.detach()
        self.levels, self.scale, self.bias_levels = _rounded(
            weight.detach(), inside, *self.rounding
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (..., W) for inputs of (..., H)."""
        if torch.compiler.is_exporting():
            product: Tensor = int8_product(inputs, self.weight, self.inside, *self.rounding)
        else:
            rounded = self.levels, self.scale, self.bias_levels
            product = _product(inputs, *rounded, *self.rounding)
        if self.bias is None or self.inside is not None:
            return product
        return product + self.bias


class QuantisedGRU(nn.Module):
    """The cell of a GRU, both of its products in integers; it keeps the names of its parameters."""

    def __init__(self, gru: GRU) -> None:
        super().__init__()
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        weight_ih, weight_hh, bias_ih, bias_hh = (gru.get_parameter(name) for name in names)
        for name in names:
            self.register_parameter(name, gru.get_parameter(name))
        self.from_inputs = QuantisedLinear(weight_ih, bias_ih, 0.0)
        self.from_hidden = QuantisedLinear(weight_hh, bias_hh, STATE_RANGE)

    def cell(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """See `GRU.cell`."""
        return gated(self.from_inputs(inputs), self.from_hidden(hidden), hidden)


@torch.library.custom_op("empgan::int8_product", mutates_args=())
def int8_product(
    inputs: Tensor, weight: Tensor, bias: Tensor | None, input_step: float, input_levels: int
) -> Tensor:
    """Return inputs (..., H) times weight (W, H) in integers, as `QuantisedLinear` computes it."""
    rounding = input_step, input_levels
    return _product(inputs, *_rounded(weight, bias, *rounding), *rounding)


@int8_product.register_fake
def _(inputs: Tensor, weight: Tensor, *rounding: Any) -> Tensor:
    return inputs.new_empty(*inputs.shape[:-1], weight.shape[0])


def weight_levels(input_levels: int) -> int:
    """Return the levels of a weight, on either side of 0, for inputs of so many."""
    return FEW_LEVELS + MANY_LEVELS - input_levels


def quantised(generator: Generator) -> Generator:
    """Return a copy of a generator whose decoder steps (Eq. 1, 3, 7) multiply integers.

    `Generator.step` is meant: encoders, and the decoder over a given reply, stay as they are. So
    do Eq. 5, which is small, and W_od of Eq. 6 (why: docs/decisions/0015-integer-products.md).
    """
    other = copy.deepcopy(generator)
    decoder = other.decoder
    attention, vocabulary = decoder.attention, decoder.vocabulary
    query = QuantisedLinear(attention.hidden_projection.weight, None, STATE_RANGE)
    attention.add_module("hidden_projection", query)
    layer = vocabulary.weight, vocabulary.bias, output_range(generator), MANY_LEVELS
    decoder.add_module("vocabulary", QuantisedLinear(*layer, rounds_bias=True))
    decoder.add_module("gru", QuantisedGRU(decoder.gru))
    return other


class QuantisedBackend(EagerBackend):
    """PyTorch over what `quantised` returns, its best words scored again as `best_words` does."""

    def decode(
        self,
        state: EagerState,
        token_ids: Tensor,
        parents: Tensor,
        banned: Tensor,
        num_candidates: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `EagerBackend.decode`."""
        decoder = self.generator.decoder
        hidden, output = decoder.next_output(
            self.generator.word_embedding(token_ids),
            descended(state.hidden, parents),
            state.keys,
            state.values,
            state.mask,
        )
        vocabulary = decoder.vocabulary
        logits = vocabulary(output)
        struck = torch.log_softmax(logits, -1).scatter_(-1, banned.long(), STRUCK)
        count = min(max(num_candidates, RESCORED), logits.shape[-1])
        best, ids = struck.topk(count, dim=-1)
        first, others = best[..., :MOST_RESCORED], best[..., MOST_RESCORED:]
        rows = ids[..., :MOST_RESCORED]
        products = (vocabulary.weight[rows] @ output.unsqueeze(-1)).squeeze(-1)
        exact = products + vocabulary.bias[rows] - logits.gather(-1, rows) + first
        changes = exact.exp() - first.exp()  # 0 of banned words: both are
        corrected = torch.cat([exact, others], -1) - torch.log1p(changes.sum(-1, keepdim=True))
        rescored = torch.where(best < STRUCK / 2, best, corrected)
        log_probs, order = rescored.topk(num_candidates, dim=-1)
        return hidden, ids.gather(-1, order).int(), log_probs


def _product(
    inputs: Tensor,
    levels: Tensor,
    scale: Tensor,
    bias_levels: Tensor,
    input_step: float,
    input_levels: int,
) -> Tensor:
    """Return the product of rounded inputs and the rounded weight, its bias included."""
    step = torch.tensor(input_step) if input_step else _range(inputs) / input_levels
    rounded = (inputs / step).round().clamp(-input_levels - 1, input_levels)
    return (rounded @ levels.T + bias_levels) * scale * step


def _rounded(
    weight: Tensor, bias: Tensor | None, input_step: float, input_levels: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the levels (W, H) and the scales (W) of a weight, and a bias (W) in their products."""
    largest, per_level = weight.abs().amax(-1), BIAS_LEVEL * input_step
    if bias is not None:
        largest = torch.maximum(largest, bias.abs() / (BIAS_COLUMNS * per_level))
    scale = torch.clamp(largest, min=LEAST_RANGE) / weight_levels(input_levels)
    levels = (weight / scale.unsqueeze(-1)).round()
    if bias is None:
        return levels, scale, torch.zeros_like(scale)
    return levels, scale, (bias / (scale * per_level)).round() * BIAS_LEVEL


def _range(rows: Tensor) -> Tensor:
    """Return the greatest size along the last axis, kept, and never 0."""
    return torch.clamp(rows.abs().amax(-1, keepdim=True), min=LEAST_RANGE)
