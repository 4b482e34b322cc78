"""Large products in bfloat16 stay close to float32's, small ones and all others are float32's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from empgan_training.model import products
from empgan_training.model.products import (
    Linear,
    factor_of,
    filled_up,
    large_in_bfloat16,
    linear,
    pairs_summed,
)


@pytest.fixture
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "LEAST", 0)


def _factors() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    inputs, weight, bias = (torch.randn(*shape) for shape in ((2, 9, 40), (30, 40), (30,)))
    return inputs.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()


def test_it_is_linear_outside_the_context(all_are_large: None) -> None:
    factors = _factors()
    assert torch.equal(linear(*factors), functional.linear(*factors))


def test_small_products_are_not_rounded() -> None:
    factors = _factors()
    with large_in_bfloat16():
        found = linear(*factors)
    assert torch.equal(found, functional.linear(*factors))


@pytest.mark.parametrize("with_bias", [True, False])
def test_values_and_gradients_stay_close(all_are_large: None, with_bias: bool) -> None:
    inputs, weight, bias = _factors()
    factors = (inputs, weight, bias) if with_bias else (inputs, weight)
    with large_in_bfloat16():
        found = linear(*factors)
    wanted = functional.linear(*factors)
    assert found.dtype == torch.float32
    assert not torch.equal(found, wanted)
    torch.testing.assert_close(found, wanted, rtol=0.02, atol=0.2)
    towards = torch.randn_like(wanted)
    gradients = torch.autograd.grad(found, factors, towards)  # outside the context, as in training
    for ours, theirs in zip(gradients, torch.autograd.grad(wanted, factors, towards), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.2)


def test_a_constant_factor_needs_no_gradient(all_are_large: None) -> None:
    inputs, weight, bias = _factors()
    with large_in_bfloat16():
        found = linear(inputs.detach(), weight, bias)
    found.sum().backward()
    assert weight.grad is not None
    assert inputs.grad is None


def test_a_layer_follows_the_context(all_are_large: None) -> None:
    inputs, _, _ = _factors()
    layer = Linear(40, 30)
    whole = layer(inputs)
    with large_in_bfloat16():
        rounded = layer(inputs)
    assert torch.equal(whole, functional.linear(inputs, layer.weight, layer.bias))
    assert not torch.equal(whole, rounded)


def test_second_derivatives_are_refused(all_are_large: None) -> None:
    inputs, weight, _ = _factors()
    with large_in_bfloat16():
        total = linear(inputs, weight).square().sum()
    (gradient,) = torch.autograd.grad(total, inputs, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_rows_come_in_few_counts() -> None:
    counts = {len(filled_up(torch.ones(rows, 1))) for rows in range(1, 5000)}
    assert len(counts) < 80
    for rows in (1, 16, 17, 100, 1000, 4999):
        filled = filled_up(torch.ones(rows, 2))
        assert filled.dtype == torch.bfloat16
        assert rows <= len(filled) <= rows + max(15, rows / 8)
        assert filled[:rows].eq(1).all()
        assert filled[rows:].eq(0).all()
    assert filled_up(torch.ones(5, 2), torch.float64).dtype == torch.float64


def test_sums_over_pairs() -> None:
    torch.manual_seed(1)
    left, right = torch.randn(400, 60), torch.randn(400, 50)
    wanted = left.t() @ right
    assert torch.equal(pairs_summed(left, right, rounded=False), wanted)
    assert torch.equal(pairs_summed(left, right, rounded=True), wanted)  # too small to pay


def test_large_sums_over_pairs_are_rounded(all_are_large: None) -> None:
    torch.manual_seed(1)
    left, right = torch.randn(400, 60), torch.randn(400, 50)
    found, wanted = pairs_summed(left, right, rounded=True), left.t() @ right
    assert not torch.equal(found, wanted)
    torch.testing.assert_close(found, wanted, rtol=0.02, atol=0.6)


def test_a_weight_is_rounded_once_in_each_context() -> None:
    weight = torch.randn(4, 3)
    assert factor_of(weight) is weight
    with large_in_bfloat16():
        first = factor_of(weight)
        assert torch.equal(first, weight.to(torch.bfloat16))
        assert factor_of(weight) is first
        assert torch.equal(factor_of(weight.t()), first.t())
    with torch.no_grad():
        weight += 1
    with large_in_bfloat16():
        assert torch.equal(factor_of(weight), weight.to(torch.bfloat16))


def test_a_compiled_layer_is_one_graph() -> None:
    layer, inputs = Linear(4, 3), torch.randn(2, 4)
    compiled = torch.compile(lambda x: torch.tanh(layer(x)), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(inputs), torch.tanh(layer(inputs)))
