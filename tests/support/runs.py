"""Small training runs, and what it means that two of them are the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from empgan_training.checkpoint import Checkpoint
from empgan_training.config import AdversarialConfig, ModelSizes, StageConfig, TrainConfig
from support.small_data import SMALL_SIZES, prepare_own


def recipe(folder: Path, out: Path, **changes: Any) -> TrainConfig:
    """Return a recipe of about 30 steps, and 14 more against critics, in a second or two."""
    settings: dict[str, Any] = {
        "data": str(prepare_own(folder)),
        "out": str(out),
        "threads": 1,
        "model": ModelSizes(**SMALL_SIZES, dropout=0.2),
        "recogniser": StageConfig(learning_rate=0.02, batch_samples=28, max_epochs=2),
        "mle": StageConfig(learning_rate=0.02, batch_samples=28, max_epochs=3, patience=1),
        "adversarial": AdversarialConfig(
            batch_samples=14,
            critic_pretrain=2,
            critic_steps=2,
            steps=4,
            validate_every=2,
            validation_samples=6,
            max_length=6,
            max_drift=5.0,
            rollouts=2,
        ),
    }
    return TrainConfig(**(settings | changes))


def records(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_bytes().splitlines()]


def without_times(value: Any) -> Any:
    """Return JSON-like data without what a clock has measured, and without the run's folder."""
    if isinstance(value, dict):
        return {
            k: without_times(v)
            for k, v in value.items()
            if k not in ("seconds", "samples_per_second", "out")
        }
    return [without_times(v) for v in value] if isinstance(value, list) else value


def assert_same_run(ours: Path, theirs: Path) -> None:
    """Weights, optimisers, random state, scores and metrics are equal to the bit."""
    names = {path.name for path in ours.glob("*.safetensors")}
    assert names == {path.name for path in theirs.glob("*.safetensors")}
    assert names >= {"last.safetensors", "best.safetensors"}
    for name in sorted(names):
        a, b = Checkpoint.load(ours / name), Checkpoint.load(theirs / name)
        assert without_times(a.info) == without_times(b.info)
        assert a.texts == b.texts
        for x, y in ((a.model, b.model), (a.trainer, b.trainer)):
            assert x.keys() == y.keys()
            assert [key for key in x if not torch.equal(x[key], y[key])] == []
    assert without_times(records(ours)) == without_times(records(theirs))


def assert_alike(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """The same steps are told of; the first record of each stage is alike, later draws may differ.

    Sums are in another order on another device.
    """
    assert [record["step"] for record in ours] == [record["step"] for record in theirs]
    for stage in {record["stage"] for record in ours}:
        a, b = (next(r for r in found if r["stage"] == stage) for found in (ours, theirs))
        assert a.keys() == b.keys()
        numbers = {name for name, value in without_times(a).items() if isinstance(value, float)}
        for name in numbers:
            assert a[name] == pytest.approx(b[name], rel=1e-3, abs=1e-5), (stage, name)
