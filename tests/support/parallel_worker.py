"""One process of tests/training/run/test_parallel.py: takes one step and saves its gradients.

Nothing is drawn at random here: dropout is 0, words are the most probable ones, and the gradient
penalty is taken half-way.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from safetensors.torch import save_file
from torch import Tensor

from empgan_training.algorithms import replies
from empgan_training.config import ModelSizes
from empgan_training.model.decoder import Decoder
from empgan_training.run.parallel import Workers
from empgan_training.run.trainer import Trainer
from support.runs import recipe
from support.small_data import SMALL_SIZES


class _NoNoise(torch.Tensor):
    """A tensor that Gumbel noise is drawn into, and comes out as the same noise everywhere."""

    def exponential_(self, *_: Any, **__: Any) -> Tensor:
        return torch.ones(self.shape, dtype=self.dtype)  # whose logarithm is zero


def _empty_like(like: Tensor, **options: Any) -> Tensor:
    return torch.empty(like.shape, dtype=like.dtype, **options).as_subclass(_NoNoise)


def _half(*shape: int, device: Any = None) -> Tensor:
    return torch.full(shape, 0.5, device=device)


def _best_ids(decoder: Decoder, outputs: Tensor) -> Tensor:
    return replies._struck(decoder.vocabulary(outputs)).argmax(-1)


def gradients(folder: Path, stage_name: str, workers: Workers) -> dict[str, Tensor]:
    """Return the gradients that one step of a stage of EmpGAN leaves, by name."""
    sizes = ModelSizes(**SMALL_SIZES, dropout=0.0)
    with mock.patch.object(Workers, "of_environment", return_value=workers):
        config = recipe(folder, folder / f"run-{workers.size}", system="EmpGAN", model=sizes)
        trainer = Trainer(config)
    stage = next(s for s in trainer.stages if s.name == stage_name)
    with (
        mock.patch.object(replies, "draw_ids", _best_ids),
        mock.patch.object(torch, "empty_like", _empty_like),
        mock.patch.object(torch, "rand", _half),
    ):
        steps = 1 if stage_name != "adversarial" else 5
        stage.run(lambda _: None, lambda _: None, _after(steps), 1e9)
    modules: Sequence[Any] = [trainer.generator]
    if stage_name == "adversarial":
        modules = [trainer.generator, stage.sides.adversary.critics]
    return {
        f"{i}.{name}": parameter.grad if parameter.grad is not None else parameter.detach()
        for i, module in enumerate(modules)
        for name, parameter in module.named_parameters()
    }


def _after(steps: int) -> Any:
    calls = iter(range(1, steps + 1))
    return lambda: next(calls) == steps


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = gradients(Path(sys.argv[1]), sys.argv[2], Workers.of_environment())
    if Workers.of_environment().leads:
        save_file({k: v.contiguous() for k, v in found.items()}, sys.argv[3])
