"""What a reproduction is asked for: which systems, with which recipe, within which budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from empgan_rt.config import MAX_SEED, check_seed
from empgan_rt.errors import InputError

from ..config import StageConfig, TrainConfig
from ..systems import SYSTEMS, SystemName

CLASSIFIER_SEED = 1000  # added to a run's seed: the classifier shares no draw with any system
SHARED: SystemName = "EmpG"  # what the systems with its generator start from


@dataclass(frozen=True)
class ReproduceOptions:
    """The choice of what is reproduced.

    Attributes:
        systems: rows of Table 1.
        seeds: of training.
        recipe: for every system; its system, seed, folders and sources are filled in.
        budget: optimiser steps of each stage, at most; None leaves that to the recipe. Data is
            read in proportion, see `most_dialogues`.
        licence: of a corpus that is not known to us, which the systems inherit.

    Raises:
        InputError: a seed is negative or too large.
    """

    systems: tuple[SystemName, ...]
    seeds: tuple[int, ...]
    recipe: TrainConfig
    budget: int | None = None
    licence: str = ""

    def __post_init__(self) -> None:
        for seed in self.seeds:
            check_seed(seed, "a training seed", MAX_SEED - CLASSIFIER_SEED)


def starts_from_shared(system: SystemName) -> bool:
    """Return whether a system has the shared generator, and so starts from that one's weights."""
    row, shared = SYSTEMS[system], SYSTEMS[SHARED]
    shapes = [(s.context, s.streams, s.attention, s.prepend_label) for s in (row, shared)]
    return system != SHARED and shapes[0] == shapes[1]


def without_places(config: TrainConfig) -> TrainConfig:
    """Return a recipe without what depends on the machine: folders, files and threads."""
    return replace(config, data="", out="", threads=0, recogniser_from="", generator_from="")


def within(recipe: TrainConfig, budget: int | None) -> TrainConfig:
    """Return the recipe with no stage longer than a budget of optimiser steps.

    An adversarial stage has one round at least: a step of the critics, or more where there is room,
    and one of the generator. Each time it is validated on eight contexts for each step.
    """
    if budget is None:
        return recipe
    against = recipe.adversarial
    pretrain = min(against.critic_pretrain, budget // 2)
    critic_steps = min(against.critic_steps, max(1, budget - pretrain - 1))
    rounds = min(against.steps, max(1, (budget - pretrain) // (critic_steps + 1)))

    def capped(stage: StageConfig) -> StageConfig:
        return replace(stage, max_steps=min(stage.max_steps or budget, budget))

    return replace(
        recipe,
        recogniser=capped(recipe.recogniser),
        mle=capped(recipe.mle),
        adversarial=replace(
            against,
            steps=rounds,
            critic_pretrain=pretrain,
            critic_steps=critic_steps,
            validate_every=min(against.validate_every, rounds),
            validation_samples=min(against.validation_samples, 8 * budget),
        ),
    )


def most_dialogues(recipe: TrainConfig, budget: int) -> dict[str, int]:
    """Return how many dialogues of each split a budget reads, at most.

    Of train those that its steps can use, of validation and test eight for each step: with 4 steps
    that is 32 replies of a system and kind, and from 116 on the tables' 925 are whole.
    """
    stages = (recipe.recogniser, recipe.mle, recipe.adversarial)
    batch = max(stage.batch_samples for stage in stages)
    return {"train": budget * batch, "validation": 8 * budget, "test": 8 * budget}


def system_names(text: str) -> tuple[SystemName, ...]:
    """Return the systems in a text such as "EmpG,EmpGAN" or "all", in the order of Table 1.

    Raises:
        InputError: one of them is unknown.
    """
    wanted = [name.strip() for name in text.split(",")]
    unknown: Sequence[str] = [n for n in wanted if n not in (*SYSTEMS, "all")]
    if unknown:
        raise InputError(
            f"unknown systems {', '.join(map(repr, unknown))[:80]}",
            hint=f"use all, or some of {', '.join(SYSTEMS)}",
        )
    return tuple(name for name in SYSTEMS if name in wanted or "all" in wanted)
