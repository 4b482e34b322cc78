"""What a run stores beside its weights so that it can go on, and how it is taken up again."""

from __future__ import annotations

import logging
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta, Struct
from torch import Tensor

from empgan_rt._version import __version__
from empgan_rt.errors import CheckpointError, InputError

from ..checkpoint import Checkpoint
from ..config import TrainConfig
from ..data.prepared import PreparedData
from ..facts import Data
from ..model.generator import Generator
from ..systems import SYSTEMS
from .parallel import Workers
from .precision import computed_in, has_bf16
from .run_stage import RunStage

# What a run that has begun learns depends on none of these, but for `threads`: it decides the
# order of float sums, so another count is allowed, with a warning. Folders say nothing to others.
_FREE = ("out", "data", "threads", "save_every_s", "recogniser_from", "generator_from")

_MAX_PROCESSES = 1_000_000

log = logging.getLogger(__name__)


class PastRun(Struct, frozen=True):
    """The facts of the run that wrote a checkpoint, beyond those of all checkpoints.

    Attributes:
        recipe: all of it but what is free.
        stages: name -> its state, which the stage itself reads.
        scores, best_scores: stage -> what its latest and its best validation logged.
        sources: "recogniser" or "generator" -> SHA-256 of weights that came from elsewhere.
        device, threads, bf16: of then; None where an older version did not say.
        processes: that shared the steps.
    """

    recipe: dict[str, Any]
    data: Data
    versions: dict[str, str]
    stages: dict[str, dict[str, Any]]
    scores: dict[str, dict[str, Any]]
    best_scores: dict[str, dict[str, Any]]
    sources: dict[str, str] = {}
    device: str | None = None
    threads: int | None = None
    bf16: bool | str | None = None
    processes: Annotated[int, Meta(ge=1, le=_MAX_PROCESSES)] = 1


def past_run(checkpoint: Checkpoint) -> PastRun:
    """Return what a checkpoint says of its run.

    Raises:
        CheckpointError: it is not of a run that can go on, or does not say what that run was.
    """
    if "stages" not in checkpoint.info or "rng" not in checkpoint.trainer:
        raise CheckpointError("the checkpoint to resume from holds no trainer state")
    try:
        return msgspec.convert(dict(checkpoint.info), PastRun)
    except msgspec.ValidationError as error:
        raise CheckpointError(
            f"the checkpoint to resume from holds no recipe or data: {error}",
            hint="start a new run",
        ) from error


def run_facts(config: TrainConfig, data: PreparedData, workers: Workers) -> dict[str, Any]:
    """Return what every checkpoint of a run says of it.

    That is its recipe, data and licence, the versions, the device, and what each stage computes in
    there.
    """
    device = workers.device()
    precisions = {"recogniser": config.recogniser.precision, "mle": config.mle.precision}
    if SYSTEMS[config.system].adversary is not None:
        precisions["adversarial"] = config.adversarial.precision
    return {
        "system": config.system,
        "recipe": {k: v for k, v in msgspec.to_builtins(config).items() if k not in _FREE},
        "data": {
            "sha256": data.sha256,
            "restricted_lexicons": sorted(data.featurizer.lexicon.restricted_sources),
        },
        "licence": data.licence,
        "device": workers.device_name(),
        "precision": {stage: computed_in(device, each) for stage, each in precisions.items()},
        "versions": {
            "empgan-rt": __version__,
            "torch": version("torch"),
            "python": platform.python_version(),
        },
    }


def training_state(
    stages: Sequence[RunStage], workers: Workers
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the facts and tensors that resuming needs beyond the weights."""
    device = workers.device()
    info = {
        "stages": {stage.name: asdict(stage.state) for stage in stages},
        "threads": torch.get_num_threads(),
        "bf16": has_bf16(device),
        "processes": workers.size,
    }
    states = {"rng": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda_rng"] = torch.cuda.get_rng_state(device)
    tensors = {
        _of_rank(name, rank): state
        for name, mine in states.items()
        for rank, state in enumerate(workers.gathered(mine, device))
    }
    for stage in stages:
        for name, tensor in stage.tensors().items():
            tensors[f"{stage.name}/{name}"] = tensor
    return info, tensors


def check_same_run(
    checkpoint: Checkpoint, config: TrainConfig, data: PreparedData, workers: Workers
) -> PastRun:
    """Return what a checkpoint says of its run, if that run is the one to go on with.

    A warning tells where the result cannot be equal to the bit.

    Raises:
        InputError: the recipe, the data or the number of processes differ from the checkpoint's.
        CheckpointError: the checkpoint is not of a run that can go on, or does not say what they
            were.
    """
    past = past_run(checkpoint)
    ours = msgspec.to_builtins(config)
    changed = [key for key in ours if key not in _FREE and ours[key] != past.recipe.get(key)]
    if changed or past.data.sha256 != data.sha256:
        raise InputError(
            f"the run in {config.out} had another {', '.join(changed) or 'data folder'}",
            hint="resume with the same recipe and data, or start a new run",
        )
    if past.processes != workers.size:
        raise InputError(
            f"the run in {config.out} had {past.processes} processes, now {workers.size}",
            hint="resume with as many, for what is drawn at random is theirs",
        )
    then = {
        "torch": past.versions.get("torch"),
        "device": past.device,
        "threads": past.threads,
        "bf16": past.bf16,
    }
    now = {
        "torch": version("torch"),
        "device": workers.device_name(),
        "threads": torch.get_num_threads(),
        "bf16": has_bf16(workers.device()),
    }
    for name, value in then.items():
        if value is not None and value != now[name]:
            log.warning(
                "the run had %s %s, now %s: it goes on, but is no longer bit-exact",
                *(name, value, now[name]),
            )
    return past


def restore_training(
    checkpoint: Checkpoint,
    past: PastRun,
    generator: Generator,
    stages: Sequence[RunStage],
    workers: Workers,
) -> None:
    """Put weights, optimisers and random states back.

    Raises:
        CheckpointError: the checkpoint lacks one of them, or it does not fit the run.
    """
    try:
        checkpoint.load_into(generator)
        for stage in stages:
            prefix = f"{stage.name}/"
            tensors = {
                key.removeprefix(prefix): tensor
                for key, tensor in checkpoint.trainer.items()
                if key.startswith(prefix)
            }
            stage.restore(past.stages[stage.name], tensors)
        torch.set_rng_state(checkpoint.trainer[_of_rank("rng", workers.rank)])
        cuda = checkpoint.trainer.get(_of_rank("cuda_rng", workers.rank))
        if cuda is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(cuda, workers.device())
    except (CheckpointError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"the run cannot go on from its checkpoint: {type(error).__name__}: {error}",
            hint="start a new run",
        ) from error


def _of_rank(name: str, rank: int) -> str:
    return f"{name}.{rank}" if rank else name
