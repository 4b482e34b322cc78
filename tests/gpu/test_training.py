"""Training samples per second on the GPU and on the CPU, on random batches of the real size.

A step is what maximum likelihood does: forward, backward, gradients clipped, Adam. Words are random
numbers from a seeded generator, so the losses mean nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from empgan_rt.config import GeneratorConfig
from empgan_rt.graph_spec import EOS, NUM_LABELS, SPECIALS
from empgan_rt.text.featurizer import TurnFeatures
from empgan_training.algorithms.mle import generator_loss
from empgan_training.config import Precision
from empgan_training.data.batch import Batch, collate
from empgan_training.data.prepared import PreparedDialogue
from empgan_training.model.generator import Generator
from empgan_training.run.adam import adam
from empgan_training.run.precision import choose_tf32, has_bf16, mixed_precision

from .records import Figures, Finding, Job

_TURNS, _MOST_WORDS, _MOST_EMOTION_WORDS = (4, 12), 25, 4
_DROPOUT, _LEARNING_RATE, _CLIP_NORM, _MAX_RESPONSE = 0.4, 1e-3, 1.0, 60  # of `default`
_WARMUP, _MIN_STEPS = 3, 5


@dataclass(frozen=True)
class Sizes:
    """How much is trained.

    Attributes:
        model: of the generator.
        dialogues: of a batch.
        batches: that are different.
        seconds: at least so long is measured.
    """

    model: GeneratorConfig
    dialogues: int
    batches: int
    seconds: float


REAL = Sizes(GeneratorConfig(vocabulary_size=11_647, emotion_vocabulary_size=2_697), 10, 8, 10.0)
DRY = Sizes(
    GeneratorConfig(
        vocabulary_size=200,
        emotion_vocabulary_size=50,
        embedding_size=16,
        emotion_embedding_size=8,
        label_embedding_size=4,
        hidden_size=16,
        recogniser_size=8,
    ),
    2,
    2,
    0.0,
)


def timed(job: Job) -> Iterator[Finding]:
    """Yield samples per second of each device and precision, and the GPU's ratio to the CPU."""
    sizes = DRY if job.dry else REAL
    batches = random_batches(sizes)
    yield Finding(note="random words, forward + backward + Adam; data loading is not in it")
    cases: list[tuple[str, Precision]] = [("cpu", "fp32")]
    if not job.dry:
        cases = [("cuda", "bf16"), ("cuda", "fp32"), *cases]
    for device, precision in cases:
        if precision == "bf16" and not has_bf16(torch.device(device)):
            yield Finding(note=f"this {device} has no bfloat16")
            continue
        yield Finding(measured(sizes, batches, torch.device(device), precision))


def random_batches(sizes: Sizes) -> list[Batch]:
    """Return batches of random dialogues, the same in every run."""
    draw = random.Random(0)
    return [
        collate([_dialogue(draw, sizes.model) for _ in range(sizes.dialogues)], _MAX_RESPONSE)
        for _ in range(sizes.batches)
    ]


def measured(
    sizes: Sizes, batches: Sequence[Batch], device: torch.device, precision: Precision
) -> Figures:
    """Return the speed of some steps, after a few that warm up."""
    torch.manual_seed(0)
    choose_tf32(device, precision)
    generator = Generator(sizes.model, _DROPOUT).to(device).train()
    learners = generator.trained_after_recogniser()
    optimiser = adam(learners, _LEARNING_RATE, (0.9, 0.999))
    moved = [batch.to(device) for batch in batches]

    def step(batch: Batch) -> float:
        with mixed_precision(device, precision):
            loss = generator_loss(generator, batch).total
        gradients = torch.autograd.grad(loss, learners, allow_unused=True)
        for parameter, gradient in zip(learners, gradients, strict=True):
            parameter.grad = gradient
        nn.utils.clip_grad_norm_(learners, _CLIP_NORM)
        optimiser.step()
        return float(loss.detach())  # which waits for the device, as a run that logs does

    losses = [step(moved[number % len(moved)]) for number in range(_WARMUP)]
    samples = steps = 0
    start = time.perf_counter()
    while steps < _MIN_STEPS or time.perf_counter() - start < sizes.seconds or steps % len(moved):
        losses.append(step(moved[steps % len(moved)]))
        samples += moved[steps % len(moved)].samples
        steps += 1
    seconds = time.perf_counter() - start
    return {
        "device": device.type,
        "precision": precision,
        "samples/s": samples / seconds,
        "ms a step": seconds / steps * 1e3,
        "samples a step": samples / steps,
        "steps": steps,
        "first loss": losses[0],
        "last loss": losses[-1],
    }


def _dialogue(draw: random.Random, model: GeneratorConfig) -> PreparedDialogue:
    turns = tuple(_turn(draw, model) for _ in range(draw.randint(*_TURNS)))
    return PreparedDialogue("random", ("",) * len(turns), turns)


def _turn(draw: random.Random, model: GeneratorConfig) -> TurnFeatures:
    def ids(count: int, size: int) -> list[int]:
        return [draw.randrange(len(SPECIALS), size) for _ in range(count)]

    words = ids(draw.randint(1, _MOST_WORDS), model.vocabulary_size)
    emotions = ids(draw.randint(0, _MOST_EMOTION_WORDS), model.emotion_vocabulary_size)
    return TurnFeatures(words, emotions or [EOS], draw.randint(1, NUM_LABELS), 0)
