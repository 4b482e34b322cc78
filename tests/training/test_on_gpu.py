"""Training on a real GPU: the CPU's losses, bfloat16, critics, going on after a stop."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from empgan_training.checkpoint import Checkpoint
from empgan_training.config import AdversarialConfig, ModelSizes, Precision, StageConfig
from empgan_training.run.parallel import Workers
from empgan_training.run.trainer import Trainer
from empgan_training.systems import SYSTEMS, SystemName
from support.runs import assert_alike, recipe, records
from support.small_data import SMALL_SIZES, prepare_own

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu")
    prepare_own(folder, 70)
    return folder


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_first_losses_are_those_of_the_cpu(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: SystemName
) -> None:
    few = StageConfig(batch_samples=28, max_steps=2)
    sizes = ModelSizes(**SMALL_SIZES, dropout=0.0)
    changes = {"system": system, "recogniser": few, "mle": few, "model": sizes}
    stages = 2 if SYSTEMS[system].adversary is None else 3
    Trainer(recipe(folder, tmp_path / "gpu", **changes)).run(max_steps=4)
    monkeypatch.setattr(Workers, "device", lambda workers: torch.device("cpu"))
    Trainer(recipe(folder, tmp_path / "cpu", **changes)).run(max_steps=4)
    ours, theirs = (records(tmp_path / name) for name in ("gpu", "cpu"))
    assert len(ours) >= 2
    assert stages >= len({record["stage"] for record in ours})
    assert_alike(ours, theirs)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("system", ["EmpG", "SeqGAN", "EmpD", "EmpGAN"])
def test_a_run_learns_and_goes_on_after_a_stop(
    folder: Path, tmp_path: Path, system: SystemName, precision: Precision
) -> None:
    stage = {"learning_rate": 0.02, "batch_samples": 28, "precision": precision}
    config = recipe(
        folder,
        tmp_path / "run",
        system=system,
        recogniser=StageConfig(**stage, max_epochs=1),
        mle=StageConfig(**stage, max_epochs=2),
        adversarial=AdversarialConfig(
            batch_samples=14,
            critic_pretrain=2,
            critic_steps=2,
            steps=2,
            validate_every=1,
            validation_samples=6,
            max_length=6,
            max_drift=5.0,
            rollouts=2,
            precision=precision,
        ),
    )
    Trainer(config).run(max_steps=9)
    trainer = Trainer(config, resume=True)
    trainer.run()
    assert all(stage.state.finished for stage in trainer.stages)
    found = [r["perplexity"] for r in records(tmp_path / "run") if r["stage"] == "mle"]
    assert found[1] < found[0]
    info = Checkpoint.load(tmp_path / "run" / "best.safetensors").info
    assert info["device"].startswith("cuda (")
    assert set(info["precision"].values()) <= {precision, "fp32"}
