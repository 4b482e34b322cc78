"""The two sides of adversarial training, each with its optimiser, one step at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from empgan_rt.errors import DivergenceError

from ..algorithms.adversary import Adversary
from ..algorithms.mle import generator_loss
from ..config import AdversarialConfig
from ..data.batch import Batch
from ..model.generator import Generator
from .adam import adam, adam_tensors, restore_adam
from .parallel import Workers, gradient_norm
from .precision import mixed_precision

Record = dict[str, Any]
BETAS = (0.5, 0.9)  # of both sides, whose goals move: Gulrajani et al. 2017


class AdversarialSides:
    """A generator and its adversary.

    Args:
        workers: who shares each step.
    """

    def __init__(
        self,
        generator: Generator,
        adversary: Adversary,
        config: AdversarialConfig,
        workers: Workers,
    ) -> None:
        self.generator, self.adversary, self.config = generator, adversary, config
        self.workers, self.device = workers, workers.device()
        self.parameters = generator.trained_after_recogniser()
        learners = [*self.parameters, *adversary.baseline.parameters()]
        self.optimiser = adam(learners, config.learning_rate, BETAS)
        critics = adversary.critics.parameters()
        self.critic_optimiser = adam(critics, config.critic_learning_rate, BETAS)

    def critic_step(self, batch: Batch) -> Record:
        """Take one step of the critics' optimiser and return what is logged of it.

        Raises:
            DivergenceError: a loss or gradient is not finite; no step was taken.
        """
        with mixed_precision(self.device, self.config.precision):
            losses = self.adversary.critic_losses(self.generator, batch)
        parameters = list(self.adversary.critics.parameters())
        gradients = torch.autograd.grad(losses["total"], parameters, allow_unused=True)
        share = _share(batch)
        record = self.workers.summed(losses, share)
        record["gradient"] = self.workers.set_gradients(parameters, gradients, share)
        _check(record)
        self.critic_optimiser.step()
        return {f"critic_{name}": value for name, value in record.items()}

    def generator_step(self, batch: Batch) -> Record:
        """Take one step of the generator's optimiser and return what is logged of it.

        Raises:
            DivergenceError: a loss or gradient is not finite; no step was taken.
        """
        config = self.config
        learners = [*self.parameters, *self.adversary.baseline.parameters()]
        with mixed_precision(self.device, self.config.precision):
            adversarial = self.adversary.generator_losses(self.generator, batch)
            pull = config.adversarial_weight * adversarial["total"]
        pulls = torch.autograd.grad(pull, learners, allow_unused=True)
        self.generator.train()
        with mixed_precision(self.device, self.config.precision):
            likelihood = generator_loss(self.generator, batch).parts()
        pushes = torch.autograd.grad(likelihood["total"], learners, allow_unused=True)
        share = _share(batch)
        record = self.workers.summed(likelihood, batch.weight)
        pulled = self.workers.summed(adversarial, share)
        record |= {f"adversarial_{name}": value for name, value in pulled.items()}
        set_gradients = self.workers.set_gradients
        record["adversarial_gradient"] = set_gradients(learners, pulls, share)
        summed_pulls = [parameter.grad for parameter in learners]
        record["likelihood_gradient"] = set_gradients(learners, pushes, batch.weight)
        for parameter, summed in zip(learners, summed_pulls, strict=True):
            parameter.grad = _sum(parameter.grad, summed)
        record["gradient"] = float(gradient_norm(learners))
        _check(record)
        nn.utils.clip_grad_norm_(self.parameters, config.clip_norm)
        self.optimiser.step()
        return record

    def tensors(self) -> dict[str, Tensor]:
        """Return what resuming needs beyond the generator's weights."""
        parts = {
            "adam": adam_tensors(self.optimiser),
            "critic_adam": adam_tensors(self.critic_optimiser),
            "critics": self.adversary.critics.state_dict(),
            "baseline": self.adversary.baseline.state_dict(),
        }
        return {
            f"{part}.{name}": t for part, tensors in parts.items() for name, t in tensors.items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` returned.

        Raises:
            ValueError, KeyError, RuntimeError: they are not of such sides.
        """
        parts: dict[str, dict[str, Tensor]] = {
            part: {} for part in ("adam", "critic_adam", "critics", "baseline")
        }
        for key, tensor in tensors.items():
            part, _, name = key.partition(".")
            parts[part][name] = tensor
        restore_adam(self.optimiser, parts["adam"], self.config.learning_rate)
        restore_adam(self.critic_optimiser, parts["critic_adam"], self.config.critic_learning_rate)
        self.adversary.critics.load_state_dict(parts["critics"])
        self.adversary.baseline.load_state_dict(parts["baseline"])


def _check(record: Record) -> None:
    if not all(map(math.isfinite, record.values())):
        raise DivergenceError(
            f"adversarial: {record}",
            hint="the last checkpoint is good; start a new run with lower learning rates",
        )


def _share(batch: Batch) -> float:
    """Return the part of a step's samples that a batch holds: adversaries' losses are means."""
    return batch.weight * batch.samples / batch.counts.samples


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return a if b is None else b if a is None else a + b
