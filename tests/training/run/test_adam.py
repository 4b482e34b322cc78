"""Adam's moments put back, and those that are not of its parameters."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from empgan_training.run.adam import adam, adam_tensors, restore_adam


def stepped() -> tuple[torch.optim.Adam, list[nn.Parameter]]:
    parameters = [nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(3))]
    optimiser = adam(parameters, 0.1, (0.9, 0.999))
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    return optimiser, parameters


def test_moments_are_put_back() -> None:
    saved = {name: tensor.clone() for name, tensor in adam_tensors(stepped()[0]).items()}
    optimiser, _ = stepped()
    optimiser.step()
    restore_adam(optimiser, saved, 0.5)
    found = adam_tensors(optimiser)
    assert found.keys() == saved.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in saved.items())
    assert optimiser.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize(
    "changes",
    [
        {"0.exp_avg": torch.zeros(3, 2)},  # PyTorch itself would only notice at the next step
        {"0.exp_avg_sq": torch.zeros(0)},
        {"0.exp_avg": torch.zeros(2, 3, dtype=torch.float64)},
        {"1.exp_avg": torch.zeros(3, dtype=torch.int64)},
        {"1.step": torch.zeros(3)},
        {"1.step": torch.tensor(1)},
        {"1.more": torch.zeros(3)},
        {"2.step": torch.tensor(1.0)},
        {"-1.step": torch.tensor(1.0)},
        {"1.exp_avg": None},
        {"step": torch.tensor(1.0)},
        {"a.step": torch.tensor(1.0)},
        {"0.0.step": torch.tensor(1.0)},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_moments_of_other_parameters_are_refused(changes: dict[str, Tensor | None]) -> None:
    optimiser, _ = stepped()
    tensors = {**adam_tensors(optimiser), **changes}
    with pytest.raises(ValueError):
        restore_adam(optimiser, {n: t for n, t in tensors.items() if t is not None}, 0.1)
