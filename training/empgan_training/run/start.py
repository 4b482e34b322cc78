"""Weights that a run takes from the checkpoints of other runs instead of training them.

The systems of one table share an emotion recogniser, and those with critics the generator that they
start from, so that their rows differ in what the table says and in nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from empgan_rt.errors import InputError

from ..checkpoint import Checkpoint
from ..config import TrainConfig
from ..model.generator import Generator
from ..systems import SYSTEMS

_HINT = "start from a run on the same prepared data with the same [model] sizes"


@dataclass(frozen=True)
class TakenOver:
    """The results that came from other runs.

    Attributes:
        scores: validation scores of each stage that need not run.
        sources: "recogniser" or "generator" -> `Checkpoint.weights_sha256` of where it came from.
    """

    scores: dict[str, Any]
    sources: dict[str, str]


def take_over(config: TrainConfig, generator: Generator, texts: Mapping[str, str]) -> TakenOver:
    """Put the weights that a recipe takes from other runs into a new generator.

    Args:
        texts: of the run's tokenizer and lexicon, as in `Checkpoint.texts`.

    Raises:
        CheckpointError: a checkpoint cannot be read.
        InputError: it has other sizes or vocabularies, or is not trained that far.
    """
    if config.generator_from:
        if SYSTEMS[config.system].adversary is None:
            raise InputError(
                f"{config.system} has no critics, so nothing is left to train after generator_from",
                hint="leave generator_from out, or choose a system with critics",
            )
        source = _fitting(config.generator_from, texts, ("recogniser", "mle"))
        if source.config != generator.config:
            raise InputError(
                f"the generator in {config.generator_from} has another shape than {config.system}",
                hint=_HINT,
            )
        generator.load_state_dict(source.generator().state_dict())
        return _taken(source, "generator", ("recogniser", "mle"))
    if config.recogniser_from:
        source = _fitting(config.recogniser_from, texts, ("recogniser",))
        found, wanted = (
            (c.recogniser_size, c.recogniser_buckets) for c in (source.config, generator.config)
        )
        if found != wanted:
            raise InputError(
                f"the recogniser in {config.recogniser_from} has {found} as size and buckets, "
                f"{wanted} wanted",
                hint=_HINT,
            )
        generator.recogniser.load_state_dict(source.generator().recogniser.state_dict())
        return _taken(source, "recogniser", ("recogniser",))
    return TakenOver({}, {})


def _fitting(path: str, texts: Mapping[str, str], stages: tuple[str, ...]) -> Checkpoint:
    source = Checkpoint.load(Path(path))
    if dict(source.texts) != dict(texts):
        raise InputError(f"{path} has other vocabularies than the prepared data", hint=_HINT)
    missing = [stage for stage in stages if stage not in source.facts().scores]
    if missing:
        raise InputError(
            f"{path} has no scores of {', '.join(missing)}",
            hint="train it further, and take its best.safetensors",
        )
    return source


def _taken(source: Checkpoint, what: str, stages: tuple[str, ...]) -> TakenOver:
    scores = source.facts().scores
    return TakenOver({stage: scores[stage] for stage in stages}, {what: source.weights_sha256()})
