"""What the adversarial stage asks of an algorithm, and what algorithms share."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data.batch import Batch
from ..model.generator import Generator
from ..model.memory import Memory
from .mle import Losses, sample_memory


class Adversary(Protocol):
    """Critics, and the two losses that pull against each other.

    Attributes:
        critics: what the critics' optimiser trains.
        baseline: what the generator's optimiser trains besides the generator; may be empty.
    """

    critics: nn.Module
    baseline: nn.Module

    def critic_losses(self, generator: Generator, batch: Batch) -> Losses:
        """Return the critics' loss on one batch; no gradient reaches the generator."""
        ...

    def generator_losses(self, generator: Generator, batch: Batch) -> Losses:
        """Return the adversarial term of the generator's loss on one batch, Psi_g left out."""
        ...


def memory_without_dropout(generator: Generator, batch: Batch) -> Memory:
    """Return the memory of each sample, and leave the generator in evaluation mode.

    Replies are drawn as users get them, without dropout; the maximum-likelihood term keeps it.
    """
    generator.eval()
    return sample_memory(generator, batch)


def verdict_loss(on_real: Tensor, on_fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return the binary cross entropy of verdicts on replies, and the share that is right.

    Args:
        on_real: (S,) logits of "real" of gold replies; on_fake: of generated ones.
    """
    total = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
    right = torch.cat([on_real > 0, on_fake < 0]).float()
    return total, right.mean()
