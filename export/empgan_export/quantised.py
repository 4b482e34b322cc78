"""The int8 variant in PyTorch: the large products of a decoder step in integers.

Weights are rounded to 8 bits, with a scale for each output. Inputs are rounded to 7: those whose
range is known (states of a GRU that starts from a tanh lie within -1 and 1) with a scale for all,
others with a scale for each row. So a row's result does not depend on its company: integer sums
are exact. Seven, because processors without VNNI add pairs of products in 16 bits, and
2 x 127 x 127 is the most that fits. The best words of a step are computed again in float32.

`to_onnx` translates `int8_product` to integer operators. The rounded weights are computed from the
stored ones when a session is made.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from empgan_rt.graph_spec import STRUCK
from empgan_training.eager import EagerBackend, EagerState, descended
from empgan_training.model.generator import Generator
from empgan_training.model.gru import GRU, gated

from .best_words import MOST_RESCORED, RESCORED

WEIGHT_LEVELS, INPUT_LEVELS = 127, 63  # on either side of 0
LEAST_RANGE = 1e-6  # of an output's weights or a row, so that zeros have a scale
STATE_RANGE = 1.0  # no state of a GRU is larger than the larger of its first one and 1


class QuantisedLinear(nn.Module):
    """A linear layer of integers.

    Sums of a thousand products of 127 by 63 are whole numbers below 2^24, so float32 computes
    them exactly, in any order.

    Args:
        weight: (W, H), to be rounded.
        bias: (W,), added in float32; None for none.
        input_range: greatest size of any input; 0 takes each row's own.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, input_range: float = 0.0) -> None:
        super().__init__()
        self.weight, self.bias, self.input_range = weight, bias, input_range
        self.levels, self.scale = _rounded(weight.detach())

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (..., W) for inputs of (..., H)."""
        if torch.compiler.is_exporting():
            product: Tensor = int8_product(inputs, self.weight, self.input_range)
        else:
            product = _product(inputs, self.levels, self.scale, self.input_range)
        return product if self.bias is None else product + self.bias


class QuantisedGRU(nn.Module):
    """The cell of a GRU, both of its products in integers; it keeps the names of its parameters."""

    def __init__(self, gru: GRU) -> None:
        super().__init__()
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        weight_ih, weight_hh, bias_ih, bias_hh = (gru.get_parameter(name) for name in names)
        for name in names:
            self.register_parameter(name, gru.get_parameter(name))
        self.from_inputs = QuantisedLinear(weight_ih, bias_ih)
        self.from_hidden = QuantisedLinear(weight_hh, bias_hh, STATE_RANGE)

    def cell(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """See `GRU.cell`."""
        return gated(self.from_inputs(inputs), self.from_hidden(hidden), hidden)


@torch.library.custom_op("empgan::int8_product", mutates_args=())
def int8_product(inputs: Tensor, weight: Tensor, input_range: float) -> Tensor:
    """Return inputs (..., H) times weight (W, H) in integers, as `QuantisedLinear` computes it."""
    return _product(inputs, *_rounded(weight), input_range)


@int8_product.register_fake
def _(inputs: Tensor, weight: Tensor, input_range: float) -> Tensor:
    return inputs.new_empty(*inputs.shape[:-1], weight.shape[0])


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
    decoder.add_module("vocabulary", QuantisedLinear(vocabulary.weight, vocabulary.bias))
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
        exact = products + vocabulary.bias[rows] - logits.logsumexp(-1, keepdim=True)
        changes = (exact.exp() - first.exp()).masked_fill(first < STRUCK / 2, 0.0)
        corrected = torch.cat([exact, others], -1) - torch.log1p(changes.sum(-1, keepdim=True))
        rescored = torch.where(best < STRUCK / 2, best, corrected)
        log_probs, order = rescored.topk(num_candidates, dim=-1)
        return hidden, ids.gather(-1, order).int(), log_probs


def _product(inputs: Tensor, levels: Tensor, scale: Tensor, input_range: float) -> Tensor:
    """Return the product of rounded inputs and the rounded weight."""
    largest = torch.tensor(input_range) if input_range else _range(inputs)
    step = largest / INPUT_LEVELS
    return (inputs / step).round() @ levels.T * scale * step


def _rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the levels (W, H) and the scales (W) of a weight."""
    scale = _range(weight) / WEIGHT_LEVELS
    return (weight / scale).round(), scale.squeeze(-1)


def _range(values: Tensor) -> Tensor:
    """Return the greatest size along the last axis, kept, and never 0."""
    return torch.clamp(values.abs().amax(-1, keepdim=True), min=LEAST_RANGE)
