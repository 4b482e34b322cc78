"""How fast the real model trains on the GPU and on the CPU: told, and nothing asked of it.

A step is what maximum likelihood does on our own dialogues: forward, backward, gradients clipped,
Adam. Data loading is not in it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from empgan_bench.measuring.workload import load_workload
from empgan_rt.bundle.bundle import Bundle
from gpu.engines import Figures, Tell, require

if TYPE_CHECKING:
    from empgan_training.config import Precision

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(300)]

DIALOGUES, BATCHES, WARMUP = 10, 8, 3
DROPOUT, LEARNING_RATE, CLIP_NORM, MAX_RESPONSE = 0.4, 1e-3, 1.0, 60  # of `default`


@pytest.mark.parametrize(
    ("where", "precision"), [("cuda", "bf16"), ("cuda", "fp32"), ("cpu", "fp32")]
)
def test_training_steps_are_timed(
    where: str, precision: Precision, device: str, tell: Tell
) -> None:
    require("eager", device)
    if device == "cpu" and where != "cpu":
        pytest.skip("no GPU in a dry run")
    name, seconds = ("tiny", 0.0) if device == "cpu" else ("default", 10.0)
    tell(measured(Bundle.open(name), where, precision, seconds))


def measured(bundle: Bundle, where: str, precision: Precision, seconds: float) -> Figures:
    """Return the speed of training a model of a bundle's sizes for at least so long."""
    import torch

    from empgan_training.algorithms.mle import generator_loss
    from empgan_training.data.batch import collate
    from empgan_training.data.prepared import PreparedDialogue
    from empgan_training.model.generator import Generator
    from empgan_training.run.adam import adam
    from empgan_training.run.precision import choose_tf32, has_bf16, mixed_precision

    device = torch.device(where)
    if precision == "bf16" and not has_bf16(device):
        pytest.skip(f"this {where} has no bfloat16")
    contexts = load_workload(None, bundle.featurizer()).contexts
    dialogues = [
        PreparedDialogue(
            "", (), tuple(replace(turn, label=1 + i % 7) for i, turn in enumerate(c.turns))
        )
        for c in contexts
        if len(c.turns) > 2  # a sample has a context, a response and a feedback
    ]
    batches = [
        collate(dialogues[at : at + DIALOGUES], MAX_RESPONSE).to(device)
        for at in range(0, BATCHES * DIALOGUES, DIALOGUES)
    ]
    torch.manual_seed(0)
    choose_tf32(device, precision)
    generator = Generator(bundle.model, DROPOUT).to(device).train()
    learners = generator.trained_after_recogniser()
    optimiser = adam(learners, LEARNING_RATE, (0.9, 0.999))
    losses, samples, start = list[float](), 0, 0.0
    while (
        (steps := len(losses) - WARMUP) < BATCHES
        or time.perf_counter() - start < seconds
        or steps % BATCHES  # each batch as often as the others
    ):
        batch = batches[len(losses) % BATCHES]
        if steps <= 0:
            samples, start = 0, time.perf_counter()
        with mixed_precision(device, precision):
            loss = generator_loss(generator, batch).total
        gradients = torch.autograd.grad(loss, learners, allow_unused=True)
        for parameter, gradient in zip(learners, gradients, strict=True):
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(learners, CLIP_NORM)
        optimiser.step()
        losses.append(float(loss.detach()))  # which waits for the device, as a run that logs does
        samples += batch.samples
    taken = time.perf_counter() - start
    return {
        "device": where,
        "precision": precision,
        "samples/s": samples / taken,
        "ms a step": taken / steps * 1e3,
        "samples a step": samples / steps,
        "steps": steps,
        "first loss": losses[0],
        "last loss": losses[-1],
    }
