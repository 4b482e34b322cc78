"""Scores of additive attention in tiles are those of the whole, and so are their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from empgan_training.model import additive_scores as module
from empgan_training.model.additive_scores import additive_scores

STEPS, POSITIONS, WIDTH = 7, 5, 6


def _inputs() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    shapes = ((STEPS, WIDTH), (POSITIONS, WIDTH), (WIDTH,))
    query, keys, direction = (torch.randn(*shape).double().requires_grad_() for shape in shapes)
    return query, keys, direction


def _whole(query: Tensor, keys: Tensor, direction: Tensor) -> Tensor:
    return torch.tanh(query.unsqueeze(1) + keys) @ direction


@pytest.mark.parametrize("steps_at_once", [0, 1, 3, STEPS, 100])  # 0: one does not fit either
def test_tiles_of_any_size(steps_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TILE", max(1, steps_at_once * POSITIONS * WIDTH))
    given = _inputs()
    found, wanted = additive_scores(*given), _whole(*given)
    torch.testing.assert_close(found, wanted)
    towards = torch.randn_like(wanted)
    gradients = torch.autograd.grad(found, given, towards)
    torch.testing.assert_close(gradients, torch.autograd.grad(wanted, given, towards))


def test_gradients_are_those_of_differences() -> None:
    assert torch.autograd.gradcheck(additive_scores, _inputs())


def test_what_the_backward_pass_keeps_does_not_grow_with_steps_times_positions() -> None:
    kept = 0

    def pack(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        additive_scores(*_inputs())
    assert kept == (STEPS + POSITIONS + 1) * WIDTH
