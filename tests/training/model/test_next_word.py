"""The next word in tiles: cross entropy and its gradients are the whole's, draws follow it."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from empgan_training.model import next_word as module
from empgan_training.model.next_word import drawn_ids, summed_nats
from empgan_training.model.products import large_in_bfloat16

ROWS, WIDTH, WORDS = 11, 6, 20


def _given(dtype: torch.dtype = torch.double) -> tuple[Tensor, nn.Linear, Tensor]:
    torch.manual_seed(1)
    states = torch.randn(ROWS, WIDTH, dtype=dtype, requires_grad=True)
    return states, nn.Linear(WIDTH, WORDS, dtype=dtype), torch.randint(0, WORDS, (ROWS,))


def _whole(states: Tensor, layer: nn.Linear, targets: Tensor) -> Tensor:
    return functional.cross_entropy(layer(states), targets, reduction="sum")


@pytest.mark.parametrize("rows_at_once", [0, 1, 4, ROWS, 100])  # 0: one does not fit either
def test_tiles_of_any_size(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TILE", rows_at_once * WORDS)
    states, layer, targets = _given()
    found, wanted = summed_nats(states, layer, targets), _whole(states, layer, targets)
    torch.testing.assert_close(found, wanted)
    learners = (states, layer.weight, layer.bias)
    ours, theirs = (torch.autograd.grad(loss / 7, learners) for loss in (found, wanted))
    torch.testing.assert_close(ours, theirs)


def test_gradients_are_those_of_differences() -> None:
    states, layer, targets = _given()
    assert torch.autograd.gradcheck(lambda s: summed_nats(s, layer, targets), (states,))


def test_products_in_bfloat16_stay_close() -> None:
    states, layer, targets = _given(torch.float)
    with large_in_bfloat16():
        found = summed_nats(states, layer, targets)
    wanted = _whole(states, layer, targets)
    assert found.dtype == torch.float32
    assert not torch.equal(found, wanted)
    torch.testing.assert_close(found, wanted, rtol=0.01, atol=0.0)
    learners = (states, layer.weight, layer.bias)
    ours, theirs = (torch.autograd.grad(loss, learners) for loss in (found, wanted))
    torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("tile", [1, 1 << 12])  # a row at a time, and many
@pytest.mark.parametrize("rounded", [False, True])
def test_draws_follow_the_softmax_without_what_is_never_drawn(
    tile: int, rounded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TILE", tile)
    torch.manual_seed(0)
    logits = torch.tensor([3.0, 0.5, 2.0, 1.0, -40.0, 0.0])
    layer = nn.Linear(1, 6)
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.bias.copy_(logits)
    with large_in_bfloat16() if rounded else nullcontext():
        drawn = drawn_ids(torch.ones(20_000, 1), layer, (0, 2))
    found = torch.bincount(drawn, minlength=6) / 20_000
    logits[[0, 2]] = -torch.inf
    torch.testing.assert_close(found, torch.softmax(logits, 0), atol=0.015, rtol=0)
