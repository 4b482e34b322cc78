"""The stages of a run, in their order: recogniser, maximum likelihood, and, for the systems that
have critics, training against them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from empgan_rt.errors import InputError

from ..algorithms.adversary import Adversary
from ..algorithms.gan import RewardAdversary
from ..algorithms.mle import Losses, class_weights, generator_loss, recogniser_loss
from ..algorithms.policy_gradient import RolloutAdversary
from ..algorithms.wgan_gp import WassersteinAdversary, WassersteinOptions
from ..config import StageConfig, TrainConfig
from ..data.batch import Batch
from ..data.prepared import PreparedData, PreparedDialogue
from ..model.critic import KERNEL_WIDTHS, Critic
from ..model.discriminator import HierarchicalDiscriminator
from ..model.generator import Generator
from ..model.words import EmotionWordView
from ..progress import OnProgress
from ..scoring.validation import evenly, greedy_replies, recogniser_scores, teacher_forced
from ..systems import SYSTEMS, CriticName
from .adversarial_stage import AdversarialStage, AdversarialState
from .parallel import Workers
from .run_log import Speed
from .stage import Stage, StageState, StageTask


class RunStage(Protocol):
    """What a trainer asks of a stage; see `Stage` and `AdversarialStage`."""

    @property
    def name(self) -> str:
        """Of the stage, in logs, checkpoints and file names."""
        ...

    @property
    def speed(self) -> Speed:
        """How fast this process has gone."""
        ...

    @property
    def state(self) -> StageState | AdversarialState:
        """Where it stands: `step` and `finished` at least."""
        ...

    def run(
        self,
        on_log: Callable[[dict[str, Any]], None],
        on_save: Callable[[bool], None],
        should_stop: Callable[[], bool],
        save_every_s: float,
    ) -> None:
        """Go on until the end, or until told to stop."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return what resuming needs beyond the state and the generator's weights."""
        ...

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Continue from a saved state and its tensors."""
        ...


@dataclass(frozen=True)
class RunParts:
    """What every stage of a run works on."""

    config: TrainConfig
    generator: Generator
    data: PreparedData
    train: list[PreparedDialogue]
    validation: list[PreparedDialogue]
    workers: Workers
    on_progress: OnProgress


def make_stages(parts: RunParts) -> list[RunStage]:
    """Return the stages of a system, none of them begun."""
    stages: list[RunStage] = [_recogniser_stage(parts), _mle_stage(parts)]
    if SYSTEMS[parts.config.system].adversary is not None:
        stages.append(_adversarial_stage(parts))
    return stages


def _recogniser_stage(parts: RunParts) -> Stage:
    generator = parts.generator
    labels = torch.tensor([turn.label for d in parts.train for turn in d.turns])
    weights = class_weights(labels).to(parts.workers.device())

    def losses(batch: Batch) -> Losses:
        return {"total": recogniser_loss(generator, batch, weights)}

    def validate() -> dict[str, float]:
        scores = recogniser_scores(generator, parts.validation)
        return {"macro_f1": scores.macro_f1, "accuracy": scores.accuracy}

    learners = list(generator.recogniser.parameters())
    task = StageTask(
        "recogniser", generator.recogniser, learners, losses, validate, "macro_f1", True
    )
    return _stage(parts, task, parts.config.recogniser)


def _mle_stage(parts: RunParts) -> Stage:
    generator = parts.generator

    def losses(batch: Batch) -> Losses:
        return generator_loss(generator, batch).parts()

    def validate() -> dict[str, float]:
        return _teacher_forced_scores(parts)

    learners = generator.trained_after_recogniser()
    task = StageTask("mle", generator, learners, losses, validate, "perplexity", False)
    return _stage(parts, task, parts.config.mle)


def _stage(parts: RunParts, task: StageTask, config: StageConfig) -> Stage:
    return Stage(
        task,
        config,
        parts.train,
        seed=parts.config.seed,
        max_response=parts.config.max_response,
        workers=parts.workers,
        on_progress=parts.on_progress,
    )


def _adversarial_stage(parts: RunParts) -> AdversarialStage:
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

    return AdversarialStage(
        parts.generator,
        _adversary(parts),
        config,
        parts.train,
        validate,
        seed=parts.config.seed,
        max_response=parts.config.max_response,
        workers=parts.workers,
        on_progress=parts.on_progress,
    )


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
    options = WassersteinOptions(
        row.feedback,
        config.critic_loss,
        config.penalty,
        config.relaxation,
        config.temperature,
        config.max_length,
    )
    view = EmotionWordView(parts.data.featurizer).to(parts.workers.device())
    return WassersteinAdversary(critics, view, options)


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
