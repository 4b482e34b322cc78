"""A GRU that trains faster in float32 on a CPU.

PyTorch's CPU GRU forms the gradient of the recurrent weights once per time step and computes
padded steps as well. Here that gradient is one product for the whole sequence, and padding is left
out before anything is computed. Products follow `products`, but for the recurrence's own, which are
float32.
Parameters and results are those of `torch.nn.GRU`, which runs whenever gradients are off or the
tensors are on a GPU. Measured: docs/decisions/0005-cpu-gru.md.

An exported graph has an operator of our own in its place, `exported_gru`: `aten.gru` would be
unrolled over the traced lengths whenever PyTorch's exporter needs the shape of its result.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .padding import put_back, taken
from .products import linear, pairs_summed, rounds
from .recurrent import run_recurrence


class GRU(nn.GRU):
    """One left-to-right layer, batch first."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, batch_first=True)

    def run(
        self, inputs: Tensor, initial: Tensor | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """Return the states (R, T, H) after each step.

        Args:
            inputs: (R, T, E).
            initial: (R, H); zeros if None.
            lengths: (R,) valid steps of each row, at least 1; what is returned beyond them is
                undefined.
        """
        if initial is None:
            initial = inputs.new_zeros(inputs.shape[0], self.hidden_size)
        if torch.compiler.is_exporting():
            exported: Tensor = exported_gru(inputs, initial, *self.all_weights[0])
            return exported
        if lengths is not None and not (torch.is_grad_enabled() or inputs.is_cuda):
            packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
            ran, _ = self(packed, initial.unsqueeze(0))  # four times as fast on unlike lengths
            return pad_packed_sequence(ran, batch_first=True, total_length=inputs.shape[1])[0]
        if not torch.is_grad_enabled() or inputs.is_cuda:
            start, weights = initial.unsqueeze(0), tuple(self.all_weights[0])
            # cuDNN keeps what a backward pass needs only of a run in training mode
            keeps = torch.is_grad_enabled()

            def run(inputs: Tensor, start: Tensor) -> Tensor:
                ran: Tensor = torch.gru(
                    inputs, start, weights, True, 1, 0.0, keeps, False, batch_first=True
                )[0]
                return ran

            return run_recurrence(run, weights[0], inputs, start)
        rows, steps, _ = inputs.shape
        if lengths is None:
            lengths = torch.full((rows,), steps)
        order, places, active = _without_padding(lengths, steps)
        weight_ih, weight_hh, bias_ih, bias_hh = self.all_weights[0]
        gates = linear(taken(inputs, places), weight_ih, bias_ih)
        given = (gates, initial[order], weight_hh, bias_hh, active)
        states: Tensor = _Recurrence.apply(*given)  # type: ignore[no-untyped-call]  # PyTorch's own
        return put_back(states, places, rows, steps)

    def cell(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """Return the state (..., H) after one step from inputs (..., E) and a state (..., H).

        It is written out as two products and `gated`: exporters have got the GRU operator wrong,
        and the products can be quantised like any other.
        """
        weight_ih, weight_hh, bias_ih, bias_hh = self.all_weights[0]
        from_inputs = linear(inputs, weight_ih, bias_ih)
        return gated(from_inputs, linear(hidden, weight_hh, bias_hh), hidden)


def gated(from_inputs: Tensor, from_hidden: Tensor, hidden: Tensor) -> Tensor:
    """Return the next state (..., H), Eq. 1, of both products with their biases, (..., 3 H)."""
    input_r, input_z, input_n = from_inputs.chunk(3, dim=-1)
    hidden_r, hidden_z, hidden_n = from_hidden.chunk(3, dim=-1)
    reset = torch.sigmoid(input_r + hidden_r)
    update = torch.sigmoid(input_z + hidden_z)
    new = torch.tanh(input_n + reset * hidden_n)
    return new + update * (hidden - new)


@torch.library.custom_op("empgan::gru", mutates_args=())
def exported_gru(
    inputs: Tensor,
    initial: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
) -> Tensor:
    """Return the states of `GRU.run`; the exporter translates it to ONNX's GRU."""
    weights = (weight_ih, weight_hh, bias_ih, bias_hh)
    states, _ = torch.gru(
        inputs, initial.unsqueeze(0), weights, True, 1, 0.0, False, False, batch_first=True
    )
    return states.contiguous()


@exported_gru.register_fake
def _(inputs: Tensor, initial: Tensor, *weights: Tensor) -> Tensor:
    return inputs.new_empty(*inputs.shape[:2], initial.shape[1])


def _without_padding(lengths: Tensor, steps: int) -> tuple[Tensor, Tensor, list[int]]:
    """Return how rows that end after unlike steps are laid out without padding.

    Returns:
        The rows (R,), longest first; the places (N,) in R * `steps` of all that is not padding,
        step by step in that order of rows; and how many rows each step has.
    """
    order = torch.argsort(lengths, descending=True, stable=True)
    step = torch.arange(int(lengths.max())).unsqueeze(1)
    active = lengths[order] > step  # (T, R), of which each step has the first
    return order, (order * steps + step)[active], active.sum(1).tolist()


class _Recurrence(torch.autograd.Function):
    """The recurrent half of the GRU over N steps of all rows, laid out by `_without_padding`."""

    @staticmethod
    def forward(
        ctx: Any, gates: Tensor, initial: Tensor, weight: Tensor, bias: Tensor, active: list[int]
    ) -> Tensor:
        total, hidden = len(gates), initial.shape[1]
        recurrent, previous = weight.t(), initial
        states = gates.new_empty(total, hidden)
        before = gates.new_empty(total, hidden)  # the state each step started from
        saved = gates.new_empty(total, 4 * hidden)  # reset, update, new, W_hn h + b_hn
        steps = (torch.split(each, active) for each in (gates, before, saved, states))
        for given, start, kept, state in zip(*steps, strict=True):
            start.copy_(previous[: len(start)])
            product = torch.addmm(bias, start, recurrent)
            both = torch.sigmoid(given[:, : 2 * hidden] + product[:, : 2 * hidden])
            reset, update = both[:, :hidden], both[:, hidden:]
            inner = product[:, 2 * hidden :]
            new = torch.tanh(torch.addcmul(given[:, 2 * hidden :], reset, inner))
            torch.cat([both, new, inner], 1, out=kept)
            previous = torch.lerp(new, start, update, out=state)
        ctx.save_for_backward(before, saved, weight)
        ctx.active, ctx.rounded = active, rounds()
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_states: Tensor) -> tuple[Tensor | None, ...]:
        before, saved, weight = ctx.saved_tensors
        total, hidden = before.shape
        grad_gates = before.new_empty(total, 3 * hidden)
        grad_product = before.new_empty(total, 3 * hidden)
        grad = before.new_zeros(ctx.active[0], hidden)
        whole = (grad_states, before, saved, grad_gates, grad_product)
        steps = [*zip(*(torch.split(each, ctx.active) for each in whole), strict=True)]
        for of_state, start, kept, into, through in reversed(steps):
            both, new, inner = kept.split([2 * hidden, hidden, hidden], 1)
            reset, update = both[:, :hidden], both[:, hidden:]
            g = grad[: len(of_state)] + of_state
            grad_new = g * (1 - update) * (1 - new * new)
            into[:, :hidden] = grad_new * inner
            into[:, hidden : 2 * hidden] = g * (start - new)
            into[:, : 2 * hidden] *= both * (1 - both)
            into[:, 2 * hidden :] = grad_new
            through.copy_(into)
            through[:, 2 * hidden :] *= reset
            torch.addcmul(through @ weight, g, update, out=grad[: len(g)])
        grad_weight = pairs_summed(grad_product, before, rounded=ctx.rounded)
        return grad_gates, grad, grad_weight, grad_product.sum(0), None
