"""Whole runs of the systems with critics: they train, resume to the bit, keep the best, stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from empgan_rt.errors import DivergenceError, InputError
from empgan_training.checkpoint import Checkpoint
from empgan_training.config import AdversarialConfig
from empgan_training.run import adversarial_stage as adversarial_stage_module
from empgan_training.run.adversarial_stage import AdversarialStage
from empgan_training.run.trainer import Trainer
from empgan_training.systems import SYSTEMS
from support.runs import assert_same_run, recipe, records
from support.small_data import prepare_own

pytestmark = pytest.mark.long

WITH_CRITICS = [name for name, row in SYSTEMS.items() if row.adversary is not None]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def _log_every_round() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adversarial_stage_module, "_LOG_EVERY", 1)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adversarial")
    prepare_own(folder, 70)
    return folder


@pytest.fixture(scope="module")
def shared(folder: Path) -> str:
    """Return the best checkpoint of an EmpG run."""
    trainer = Trainer(recipe(folder, folder / "shared"))
    trainer.run()
    return str(trainer.best)


@pytest.fixture(scope="module")
def whole(folder: Path, shared: str) -> Path:
    """Return the folder of an undisturbed run of EmpGAN from there."""
    Trainer(recipe(folder, folder / "whole", system="EmpGAN", generator_from=shared)).run()
    return folder / "whole"


def weights(path: Path) -> dict[str, torch.Tensor]:
    return dict(Checkpoint.load(path).model)


def adversarial_stage(trainer: Trainer) -> AdversarialStage:
    stage = trainer.stages[-1]
    assert isinstance(stage, AdversarialStage)
    return stage


@pytest.mark.parametrize("name", WITH_CRITICS)
def test_a_system_with_critics_trains_from_the_first_stage_on(
    folder: Path, tmp_path: Path, name: str
) -> None:
    trainer = Trainer(recipe(folder, tmp_path / "run", system=name))
    scores = trainer.run()
    assert set(scores) == {"recogniser", "mle", "adversarial"}
    state = adversarial_stage(trainer).state
    assert (state.critic_step, state.generator_step, state.finished) == (10, 4, True)
    before, after = (weights(tmp_path / "run" / f"{n}.safetensors") for n in ("mle", "best"))
    for key in before:
        same = torch.equal(before[key], after[key])
        assert same == key.startswith("recogniser."), key
    found = [r for r in records(tmp_path / "run") if r["stage"] == "adversarial"]
    assert [r["generator_step"] for r in found if r["split"] == "validation"] == [0, 2, 4]
    assert {"perplexity", "distinct_2", "drift", "replies"} <= found[-1].keys()


def test_records_tell_of_both_sides(folder: Path, shared: str, tmp_path: Path) -> None:
    config = recipe(folder, tmp_path / "run", system="EmpGAN", generator_from=shared)
    Trainer(config).run()
    found = [r for r in records(tmp_path / "run") if r["split"] == "train"]
    assert [r["generator_step"] for r in found] == [0] * 4 + [1, 2, 3, 4]
    assert [r["step"] for r in found] == [1, 2, 3, 4, 5, 8, 11, 14]
    record = found[-1]
    assert {
        "critic_total",
        "critic_semantic_distance",
        "critic_emotional_distance",
        "critic_semantic_penalty",
        "critic_semantic_ranked",
        "critic_emotional_ranked",
        "critic_gradient",
        "total",
        "response",
        "adversarial_total",
        "adversarial_semantic",
        "adversarial_emotional",
        "adversarial_gradient",
        "likelihood_gradient",
        "gradient",
    } <= record.keys()
    assert 0 <= record["critic_semantic_ranked"] <= 1
    assert record["adversarial_gradient"] > 0
    assert record["likelihood_gradient"] > 0


@pytest.mark.parametrize("at", [1, 3, 4, 8])
def test_a_run_that_was_stopped_goes_on_to_the_bit(
    folder: Path, shared: str, whole: Path, tmp_path: Path, at: int
) -> None:
    config = recipe(folder, tmp_path / "run", system="EmpGAN", generator_from=shared)
    Trainer(config).run(max_steps=at)
    Trainer(config, resume=True).run()
    assert_same_run(tmp_path / "run", whole)


def test_a_run_starts_from_the_shared_generator_and_says_so(
    folder: Path, shared: str, tmp_path: Path
) -> None:
    trainer = Trainer(recipe(folder, tmp_path / "run", system="EmpWD", generator_from=shared))
    source = Checkpoint.load(Path(shared))
    ours = trainer.generator.state_dict()
    assert all(torch.equal(ours[key], source.model[key]) for key in ours)
    assert [stage.state.finished for stage in trainer.stages] == [True, True, False]
    trainer.run(max_steps=1)
    info = Checkpoint.load(tmp_path / "run" / "last.safetensors").info
    assert info["sources"] == {"generator": source.weights_sha256()}
    assert info["scores"]["mle"] == source.info["scores"]["mle"]
    assert shared not in str(info)


def test_a_run_takes_over_the_recogniser(folder: Path, shared: str, tmp_path: Path) -> None:
    config = recipe(folder, tmp_path / "run", system="Emo-S2S", recogniser_from=shared)
    Trainer(config).run()
    ours, source = weights(tmp_path / "run" / "best.safetensors"), weights(Path(shared))
    taken = [key for key in ours if key.startswith("recogniser.")]
    assert taken
    assert all(torch.equal(ours[key], source[key]) for key in taken)
    assert {r["stage"] for r in records(tmp_path / "run")} == {"mle"}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"system": "SeqGAN"}, "another shape than SeqGAN"),
        ({"system": "EmpG"}, "no critics"),
        ({"data": "other"}, "other vocabularies"),
    ],
)
def test_a_generator_that_does_not_fit_is_refused(
    folder: Path, shared: str, tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    if "data" in changes:
        changes = {"data": str(prepare_own(tmp_path, 40)), "system": "EmpD"}
    with pytest.raises(InputError, match=match):
        Trainer(recipe(folder, tmp_path / "run", generator_from=shared, **changes))
    assert not (tmp_path / "run").exists()


def scripted(
    folder: Path, shared: str, out: Path, scores: list[tuple[float, float]], max_drift: float
) -> Trainer:
    """Return a trainer whose validations find these perplexities and Distinct-2."""
    config = recipe(folder, out, system="EmpD", generator_from=shared)
    against = AdversarialConfig(
        batch_samples=14,
        critic_pretrain=0,
        critic_steps=1,
        steps=4,
        validate_every=1,
        max_length=6,
        max_drift=max_drift,
    )
    trainer = Trainer(msgspec.structs.replace(config, adversarial=against))
    found = iter(scores)

    def validate() -> dict[str, Any]:
        perplexity, distinct = next(found)
        return {"perplexity": perplexity, "distinct_2": distinct}

    adversarial_stage(trainer).validate = validate
    return trainer


def test_the_best_is_the_most_varied_that_has_not_drifted(
    folder: Path, shared: str, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    scores = [(10.0, 50.0), (10.2, 20.0), (10.4, 30.0), (10.1, 25.0), (10.9, 40.0)]
    found = scripted(folder, shared, out, scores, max_drift=0.05).run()
    assert found["adversarial"]["distinct_2"] == 30.0
    assert found["adversarial"]["generator_step"] == 2
    best = Checkpoint.load(out / "best.safetensors").info["scores"]
    assert best["adversarial"]["perplexity"] == 10.4


def test_drift_ends_the_stage(folder: Path, shared: str, tmp_path: Path) -> None:
    scores = [(10.0, 50.0), (10.2, 20.0), (10.6, 30.0)]
    trainer = scripted(folder, shared, tmp_path / "run", scores, max_drift=0.05)
    found = trainer.run()
    state = adversarial_stage(trainer).state
    assert (state.generator_step, state.finished) == (2, True)
    assert found["adversarial"]["generator_step"] == 1


def test_drift_from_the_first_is_an_error(folder: Path, shared: str, tmp_path: Path) -> None:
    scores = [(10.0, 50.0), (10.6, 60.0)]
    trainer = scripted(folder, shared, tmp_path / "run", scores, max_drift=0.05)
    with pytest.raises(DivergenceError, match=r"rose from 10\.00 to 10\.60"):
        trainer.run()
    assert not (tmp_path / "run" / "best.safetensors").exists()


def test_nan_takes_no_step(
    folder: Path, shared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(recipe(folder, tmp_path / "run", system="EmpWD", generator_from=shared))
    trainer.run(max_steps=5)
    stage = adversarial_stage(trainer)
    losses = stage.sides.adversary.generator_losses
    monkeypatch.setattr(
        stage.sides.adversary,
        "generator_losses",
        lambda *args: {n: loss * float("nan") for n, loss in losses(*args).items()},
    )
    before = {k: v.clone() for k, v in trainer.generator.state_dict().items()}
    with pytest.raises(DivergenceError, match="adversarial"):
        trainer.run()
    after = trainer.generator.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
