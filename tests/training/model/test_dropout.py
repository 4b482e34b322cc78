"""Our dropout is dropout: unbiased, off in evaluation, the same for the same seed."""

from __future__ import annotations

import pytest
import torch

from empgan_training.model.dropout import Dropout


@pytest.mark.parametrize("probability", [0.1, 0.4, 0.9])
def test_entries_are_dropped_and_the_rest_is_scaled(probability: float) -> None:
    torch.manual_seed(3)
    entries = torch.ones(300, 1001)
    found = Dropout(probability)(entries)
    kept = found != 0
    scale = found[kept][0]
    assert torch.equal(found, kept * scale)
    assert float(scale) == pytest.approx(1 / (1 - probability), rel=1e-3)
    share = float(kept.double().mean())
    assert share == pytest.approx(1 - probability, abs=5 * (0.25 / entries.numel()) ** 0.5)


def test_entries_are_dropped_independently() -> None:
    torch.manual_seed(3)
    kept = (Dropout(0.5)(torch.ones(200_000)) != 0).double()
    for distance in (1, 2, 3, 4, 8):  # four share a draw
        together = float((kept[distance:] * kept[:-distance]).mean())
        assert together == pytest.approx(0.25, abs=0.006)


def test_the_gradient_is_of_what_was_kept() -> None:
    torch.manual_seed(3)
    entries = torch.randn(7, 11, requires_grad=True)
    found = Dropout(0.4)(entries)
    towards = torch.randn(7, 11)
    (gradient,) = torch.autograd.grad(found, entries, towards)
    torch.testing.assert_close(gradient * entries, found * towards)


def test_nothing_is_dropped_in_evaluation_or_at_zero() -> None:
    entries = torch.randn(5, 3)
    assert torch.equal(Dropout(0.4).eval()(entries), entries)
    assert torch.equal(Dropout(0.0)(entries), entries)


@pytest.mark.parametrize("probability", [0.999999, 1.0])
def test_everything_may_be_dropped(probability: float) -> None:
    torch.manual_seed(3)
    assert Dropout(probability)(torch.ones(50)).eq(0).all()


def test_a_seed_decides_what_is_dropped() -> None:
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(Dropout(0.4)(torch.ones(500)))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
