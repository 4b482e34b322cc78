"""A GRU that trains faster in float32 on a CPU.

PyTorch's CPU GRU forms the gradient of the recurrent weights once per time step and computes
padded steps as well. Here that gradient is one product for the whole sequence and rows leave
the batch when they end; products follow autocast, sums and states stay in float32. Parameters and
results are those of `torch.nn.GRU`, which runs whenever gradients are off or the tensors are on a
GPU. Measured: docs/decisions/0005-cpu-gru.md.

An exported graph has an operator of our own in its place, `exported_gru`: `aten.gru` would be
unrolled over the traced lengths whenever PyTorch's exporter needs the shape of its result.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

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
            lengths: (R,) valid steps of each row; what is returned beyond them is undefined.
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
                states: Tensor = torch.gru(
                    inputs, start, weights, True, 1, 0.0, keeps, False, batch_first=True
                )[0]
                return states

            return run_recurrence(run, weights[0], inputs, start)
        weight_ih, weight_hh, bias_ih, bias_hh = self.all_weights[0]
        rows, steps, _ = inputs.shape
        if lengths is None:
            lengths = torch.full((rows,), steps)
        order = torch.argsort(lengths, descending=True, stable=True)
        active = (lengths.unsqueeze(0) > torch.arange(steps).unsqueeze(1)).sum(1).tolist()
        gates = functional.linear(inputs[order], weight_ih, bias_ih).transpose(0, 1)
        given = (gates, initial[order], weight_hh, bias_hh, active)
        states: Tensor = _Recurrence.apply(*given)  # type: ignore[no-untyped-call]  # PyTorch's own
        return states[torch.argsort(order)]

    def cell(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """Return the state (..., H) after one step from inputs (..., E) and a state (..., H).

        It is written out as two products and `gated`: exporters have got the GRU operator wrong,
        and the products can be quantised like any other.
        """
        weight_ih, weight_hh, bias_ih, bias_hh = self.all_weights[0]
        from_inputs = functional.linear(inputs, weight_ih, bias_ih)
        return gated(from_inputs, functional.linear(hidden, weight_hh, bias_hh), hidden)


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


class _Recurrence(torch.autograd.Function):
    """The recurrent half of the GRU; rows are sorted by length, longest first."""

    @staticmethod
    def forward(
        ctx: Any, gates: Tensor, initial: Tensor, weight: Tensor, bias: Tensor, active: list[int]
    ) -> Tensor:
        steps, rows, width = gates.shape
        hidden = width // 3
        dtype = (
            torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else weight.dtype
        )
        recurrent, offset = weight.to(dtype), bias.to(dtype)
        gates, state = gates.to(weight.dtype), initial.to(weight.dtype).clone()
        states = gates.new_zeros(rows, steps, hidden)
        before = gates.new_zeros(steps, rows, hidden)  # the state each step started from
        saved = gates.new_zeros(steps, rows, 4 * hidden)  # reset, update, new, W_hn h + b_hn
        for t, count in enumerate(active):
            if count == 0:
                break
            previous = state[:count]
            before[t, :count] = previous
            product = torch.addmm(offset, previous.to(dtype), recurrent.t()).to(weight.dtype)
            both = torch.sigmoid(gates[t, :count, : 2 * hidden] + product[:, : 2 * hidden])
            reset, update = both[:, :hidden], both[:, hidden:]
            inner = product[:, 2 * hidden :]
            new = torch.tanh(torch.addcmul(gates[t, :count, 2 * hidden :], reset, inner))
            torch.cat([both, new, inner], 1, out=saved[t, :count])
            state[:count] = torch.lerp(new, previous, update)
            states[:count, t] = state[:count]
        ctx.save_for_backward(before, saved, weight)
        ctx.active, ctx.dtype = active, dtype
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_states: Tensor) -> tuple[Tensor | None, ...]:
        before, saved, weight = ctx.saved_tensors
        steps, rows, hidden = before.shape
        recurrent = weight.to(ctx.dtype)
        grad_gates = before.new_zeros(steps, rows, 3 * hidden)
        grad_product = before.new_zeros(steps, rows, 3 * hidden)
        grad = before.new_zeros(rows, hidden)
        for t in range(steps - 1, -1, -1):
            count = ctx.active[t]
            if count == 0:
                continue
            both, new, inner = saved[t, :count].split([2 * hidden, hidden, hidden], 1)
            reset, update = both[:, :hidden], both[:, hidden:]
            g = grad[:count] + grad_states[:count, t]
            grad_new = g * (1 - update) * (1 - new * new)
            into = grad_gates[t, :count]
            into[:, :hidden] = grad_new * inner
            into[:, hidden : 2 * hidden] = g * (before[t, :count] - new)
            into[:, : 2 * hidden] *= both * (1 - both)
            into[:, 2 * hidden :] = grad_new
            through = grad_product[t, :count]
            through.copy_(into)
            through[:, 2 * hidden :] *= reset
            grad[:count] = torch.addcmul((through.to(ctx.dtype) @ recurrent).to(g.dtype), g, update)
        flat = grad_product.reshape(steps * rows, 3 * hidden)
        grad_weight = flat.to(ctx.dtype).t() @ before.reshape(-1, hidden).to(ctx.dtype)
        return grad_gates, grad, grad_weight.to(weight.dtype), flat.sum(0), None
