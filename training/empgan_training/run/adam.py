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
    parameters = optimiser.param_groups[0]["params"]
    for place, moments in state.items():
        if not 0 <= place < len(parameters):
            raise ValueError(f"moments of parameter {place} of {len(parameters)}")
        _check_moments(place, moments, parameters[place])
    saved = optimiser.state_dict()
    saved["state"] = state
    saved["param_groups"][0]["lr"] = learning_rate
    optimiser.load_state_dict(saved)


def _check_moments(place: int, moments: Mapping[str, Tensor], parameter: Tensor) -> None:
    """Raise ValueError unless Adam can go on from them: PyTorch itself looks at no shape."""
    shapes = {"step": torch.Size(), "exp_avg": parameter.shape, "exp_avg_sq": parameter.shape}
    found = {name: (tensor.dtype, tensor.shape) for name, tensor in moments.items()}
    if found != {name: (torch.float32, shape) for name, shape in shapes.items()}:
        raise ValueError(f"moments of parameter {place} of another shape or dtype")
