"""The processes of one run: one by itself, or those that torchrun started.

Data-parallel: each process computes its share of a step's dialogues, divided by the counts of the
whole step, and gradients and losses are summed. So every process takes the same step as one process
would on the whole; what is drawn at random (dropout, replies) differs, since each draws its own.
The first process alone writes, and tells of progress.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

from empgan_rt.errors import ProviderError

Item = TypeVar("Item")


class Workers:
    """The processes that take part in a run; `Workers()` is a process by itself.

    Attributes:
        rank: of this process, from 0; size: how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @classmethod
    def of_environment(cls) -> Workers:
        """Return the processes that torchrun's variables tell of, connected; else this one.

        Raises:
            ProviderError: there are GPUs, but none for this process.
        """
        workers = cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
        device = workers.device()
        if device.type == "cuda":
            _take(device)
        if workers.size > 1 and not distributed.is_initialized():
            if device.type == "cuda":
                distributed.init_process_group("nccl", device_id=device)
            else:
                distributed.init_process_group("gloo")
        return workers

    @property
    def leads(self) -> bool:
        """Whether this process writes and tells of progress."""
        return self.rank == 0

    def device(self) -> torch.device:
        """Return this process's device: its own GPU where there is one."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))

    def device_name(self) -> str:
        """Return "cpu", or "cuda" and the GPU's name."""
        device = self.device()
        if device.type == "cpu":
            return "cpu"
        return f"{device.type} ({torch.cuda.get_device_name(device)})"

    def share(self) -> slice:
        """Return which items of a step are this process's."""
        return slice(self.rank, None, self.size)

    def sum(self, tensor: Tensor) -> Tensor:
        """Return the sum of every process's tensor; in place."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def any(self, flag: bool, device: torch.device) -> bool:
        """Return whether any process says so."""
        return flag if self.size == 1 else bool(self.sum(torch.tensor([int(flag)], device=device)))

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.size > 1:
            distributed.barrier()

    def gathered(self, tensor: Tensor, device: torch.device) -> list[Tensor]:
        """Return every process's tensor, by rank, on the CPU."""
        if self.size == 1:
            return [tensor]
        mine = tensor.to(device)
        found = [torch.empty_like(mine) for _ in range(self.size)]
        distributed.all_gather(found, mine)
        return [each.cpu() for each in found]

    def summed(self, losses: Mapping[str, Tensor], factor: float) -> dict[str, float]:
        """Return the sum over processes of each loss times this process's factor."""
        stacked = torch.stack([loss.detach().double() * factor for loss in losses.values()])
        return dict(zip(losses, self.sum(stacked).tolist(), strict=True))

    def set_gradients(
        self,
        parameters: Sequence[nn.Parameter],
        gradients: Sequence[Tensor | None],
        factor: float = 1.0,
    ) -> float:
        """Make the sum over processes the parameters' gradients; return its norm.

        Args:
            gradients: of this process's share; None where a parameter took no part.
            factor: what they are multiplied by.
        """
        shares = [g if g is None or factor == 1.0 else g * factor for g in gradients]
        if self.size > 1:
            shares = [*self._summed_together(parameters, shares)]
        for parameter, gradient in zip(parameters, shares, strict=True):
            parameter.grad = None if gradient is None else gradient.contiguous()
        return float(gradient_norm(parameters))

    def _summed_together(
        self, parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]
    ) -> Iterator[Tensor]:
        """Yield the sum over processes of each gradient, zero for None; they travel as one."""
        dense = [
            torch.zeros_like(parameter) if gradient is None else gradient
            for parameter, gradient in zip(parameters, gradients, strict=True)
        ]
        summed = self.sum(torch.cat([gradient.flatten() for gradient in dense]))
        parts = torch.split(summed, [gradient.numel() for gradient in dense])
        for gradient, part in zip(dense, parts, strict=True):
            yield part.view(gradient.shape)


def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Return the norm of all gradients that there are, a number where they are."""
    norms = [p.grad.norm() for p in parameters if p.grad is not None]
    return torch.stack(norms).norm() if norms else torch.zeros(())


def _take(device: torch.device) -> None:
    """Make a GPU the current one, which libraries use unasked."""
    count = torch.cuda.device_count()
    if (device.index or 0) >= count:
        raise ProviderError(
            f"process {device.index} of this machine has no GPU: there are {count}",
            hint="start as many processes as GPUs, or set CUDA_VISIBLE_DEVICES= for the CPU",
        )
    torch.cuda.set_device(device)
