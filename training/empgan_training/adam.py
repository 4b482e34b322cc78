"""Adam as tensors that a checkpoint can hold, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


def adam(
    parameters: Iterable[nn.Parameter], learning_rate: float, betas: tuple[float, float]
) -> torch.optim.Adam:
    """Return the optimiser of every stage: Adam (Kingma and Ba 2015), its loop fused."""
    return torch.optim.Adam([*parameters], learning_rate, betas, fused=True)


def adam_tensors(optimiser: torch.optim.Adam) -> dict[str, Tensor]:
    """Return the moments and step counts, named "<parameter position>.<name>"."""
    state = optimiser.state_dict()["state"]
    return {f"{i}.{name}": tensor for i, entry in state.items() for name, tensor in entry.items()}


def restore_adam(
    optimiser: torch.optim.Adam, tensors: Mapping[str, Tensor], learning_rate: float
) -> None:
    """Put back what `adam_tensors` returned.

    Raises:
        ValueError: a name is not of that form, or the optimiser has other parameters.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".")
        state.setdefault(int(index), {})[name] = tensor
    saved = optimiser.state_dict()
    saved["state"] = state
    saved["param_groups"][0]["lr"] = learning_rate
    optimiser.load_state_dict(saved)
