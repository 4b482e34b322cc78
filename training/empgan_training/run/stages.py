"""The stages of a run, in their order: recogniser, maximum likelihood, and, for the systems that
have critics, training against them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from empgan_rt.errors import InputError

from ..algorithms.adversary import Adversary
from ..algorithms.gan import RewardAdversary
from ..algorithms.mle import Losses, corpus_weights, generator_loss, recogniser_loss
from ..algorithms.policy_gradient import RolloutAdversary
from ..algorithms.wgan_gp import WassersteinAdversary
from ..config import TrainConfig
from ..data.batch import Batch, heard_out
from ..data.prepared import PreparedData, PreparedDialogue
from ..model.critic import KERNEL_WIDTHS, Critic
from ..model.discriminator import HierarchicalDiscriminator
from ..model.generator import Generator
from ..model.words import EmotionWordView
from ..progress import OnProgress
from ..scoring.validation import (
    calibrate_recogniser,
    evenly,
    greedy_replies,
    recogniser_scores,
    teacher_forced,
)
from ..systems import SYSTEMS, CriticName
from .adversarial_stage import AdversarialStage
from .parallel import Workers
from .run_stage import RunStage, StageData
from .stage import Stage, StageTask


@dataclass(frozen=True)
class RunParts:
    """The parts that every stage of a run works on."""

    config: TrainConfig
    generator: Generator
    data: PreparedData
    train: list[PreparedDialogue]
    validation: list[PreparedDialogue]
    workers: Workers
    on_progress: OnProgress


def make_stages(parts: RunParts) -> list[RunStage]:
    """Return the stages of a system, none of them begun."""
    config = parts.config
    data = StageData(
        parts.train, config.seed, config.max_response, parts.workers, parts.on_progress
    )
    heard = data
    if parts.generator.config.recogniser_buckets:
        # The paper's learns from contexts alone; turns that nobody replies to are as good.
        heard = replace(data, dialogues=[heard_out(dialogue) for dialogue in parts.train])
    stages: list[RunStage] = [
        Stage(_recogniser_task(parts), config.recogniser, heard),
        Stage(_mle_task(parts), config.mle, data),
    ]
    if SYSTEMS[config.system].adversary is not None:
        stages.append(_adversarial_stage(parts, data))
    return stages


def _recogniser_task(parts: RunParts) -> StageTask:
    generator = parts.generator
    balance = parts.config.recogniser_balance
    weights = corpus_weights(parts.train, len(parts.data.sources), balance)
    weights = weights.to(parts.workers.device())

    def losses(batch: Batch) -> Losses:
        return {"total": recogniser_loss(generator, batch, weights)}

    def validate() -> dict[str, float]:
        if generator.config.recogniser_buckets:
            calibrate_recogniser(generator, parts.validation)
        scores = recogniser_scores(generator, parts.validation)
        names = ("macro_f1", "accuracy", "calibration_error")
        return {name: getattr(scores, name) for name in names}

    learners = list(generator.recogniser.parameters())
    return StageTask(
        "recogniser", generator.recogniser, learners, losses, validate, "macro_f1", True
    )


def _mle_task(parts: RunParts) -> StageTask:
    generator = parts.generator

    def losses(batch: Batch) -> Losses:
        return generator_loss(generator, batch).parts()

    def validate() -> dict[str, float]:
        return _teacher_forced_scores(parts)

    learners = generator.trained_after_recogniser()
    return StageTask("mle", generator, learners, losses, validate, "perplexity", False)


def _adversarial_stage(parts: RunParts, data: StageData) -> AdversarialStage:
    config = parts.config.adversarial
    samples = evenly(parts.validation, config.validation_samples)

    def validate() -> dict[str, Any]:
        replies = greedy_replies(
            parts.generator,
            parts.data.featurizer,
            samples,
            config.max_length,
            parts.on_progress,
        )
        return _teacher_forced_scores(parts) | replies

    return AdversarialStage(parts.generator, _adversary(parts), config, data, validate)


def _teacher_forced_scores(parts: RunParts) -> dict[str, float]:
    scores = teacher_forced(parts.generator, parts.validation, parts.config.max_response)
    return {name: float(value) for name, value in asdict(scores).items() if value is not None}


def _adversary(parts: RunParts) -> Adversary:
    """Return the untrained adversary of the run's system."""
    row, config = SYSTEMS[parts.config.system].adversary, parts.config.adversarial
    if row is None:
        raise ValueError(f"{parts.config.system} has no adversary")
    sizes = parts.generator.config
    if row.algorithm == "policy_gradient":
        discriminator = HierarchicalDiscriminator(
            sizes.vocabulary_size, sizes.embedding_size, sizes.hidden_size
        )
        return RolloutAdversary(
            discriminator.to(parts.workers.device()),
            sizes.hidden_size,
            rollouts=config.rollouts,
            max_length=config.max_length,
        )
    critics = _critics(parts, row.critics)
    if row.algorithm == "gan":
        return RewardAdversary(critics["semantic"], config.max_length)
    view = EmotionWordView(parts.data.featurizer).to(parts.workers.device())
    return WassersteinAdversary(critics, view, config, feedback=row.feedback)


def _critics(parts: RunParts, names: Sequence[CriticName]) -> dict[CriticName, Critic]:
    """Return the critics: on words, and on emotion words, of the generator's own sizes."""
    sizes = parts.generator.config
    reads: dict[CriticName, tuple[int, int]] = {
        "semantic": (sizes.vocabulary_size, sizes.embedding_size),
        "emotional": (sizes.emotion_vocabulary_size, sizes.emotion_embedding_size),
    }
    if sizes.hidden_size < len(KERNEL_WIDTHS):
        raise InputError(
            f"hidden_size is {sizes.hidden_size}, and critics share it among their convolutions",
            hint=f"give at least {len(KERNEL_WIDTHS)}",
        )
    return {
        name: Critic(*reads[name], sizes.hidden_size, sizes.memory_size).to(parts.workers.device())
        for name in names
    }
