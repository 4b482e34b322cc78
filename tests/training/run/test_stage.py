"""One stage: early stop, plateau, saving, stopping, and what happens on NaN."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import nn

from empgan_rt.errors import DivergenceError
from empgan_rt.graph_spec import EOS
from empgan_rt.text.featurizer import TurnFeatures
from empgan_training.config import StageConfig
from empgan_training.data.batch import Batch
from empgan_training.data.prepared import PreparedDialogue
from empgan_training.run.parallel import Workers
from empgan_training.run.run_stage import StageData
from empgan_training.run.stage import Losses, Stage, StageState, StageTask

TURN = TurnFeatures([4], [EOS], 1, 0)
DIALOGUES = [PreparedDialogue(str(i), ("",) * 4, (TURN,) * 4) for i in range(6)]  # 12 samples


class Run:
    """A stage over one weight, whose validation scores are given in advance."""

    def __init__(self, scores: Iterable[float], larger: bool = False, **config: Any) -> None:
        torch.manual_seed(0)
        self.module = nn.Linear(1, 1, bias=False)
        self.scores = iter(scores)
        self.records: list[dict[str, Any]] = []
        self.saves: list[bool] = []
        self.factor = 1.0
        task = StageTask(
            "toy",
            self.module,
            list(self.module.parameters()),
            self.losses,
            lambda: {"score": next(self.scores)},
            "score",
            larger,
        )
        settings = {"batch_samples": 4, "max_epochs": 10, "patience": 2, "learning_rate": 0.1}
        data = StageData(DIALOGUES, seed=1, max_response=60, workers=Workers())
        self.stage = Stage(task, StageConfig(**{**settings, **config}), data)

    def losses(self, batch: Batch) -> Losses:
        output = self.module(torch.ones(batch.samples, 1))
        return {"total": (output**2).mean() * self.factor}

    def go(self, stop_at: int | None = None, save_every_s: float = 1e9) -> StageState:
        self.stage.run(
            self.records.append,
            self.saves.append,
            lambda: stop_at is not None and self.stage.state.step >= stop_at,
            save_every_s,
        )
        return self.stage.state


@pytest.mark.parametrize(
    ("scores", "larger", "epochs", "best", "saves"),
    [
        ([5, 4, 3, 3.5, 3.2], False, 5, 3, [True, True, True, False, False]),
        ([5, 5, 5], False, 3, 5, [True, False, False]),  # equal is no improvement
        ([5, 6, 4, 7, 8], False, 5, 4, [True, False, True, False, False]),
        ([5, 6, 7, 6, 6], True, 5, 7, [True, True, True, False, False]),
        ([0.0, -1.0, -2.0], True, 3, 0.0, [True, False, False]),
    ],
)
def test_early_stop(
    scores: list[float], larger: bool, epochs: int, best: float, saves: list[bool]
) -> None:
    run = Run(scores, larger)
    state = run.go()
    assert (state.finished, state.epoch, state.best) == (True, epochs, best)
    assert run.saves == saves
    assert state.step == 3 * epochs


def test_max_epochs() -> None:
    state = Run([9, 8, 7, 6], max_epochs=3).go()
    assert (state.finished, state.epoch, state.step) == (True, 3, 9)


@pytest.mark.parametrize(("factor", "rates"), [(1.0, [0.1] * 4), (0.5, [0.1, 0.1, 0.05, 0.025])])
def test_plateau_factor(factor: float, rates: list[float]) -> None:
    run = Run([5, 4, 6, 6], plateau_factor=factor)
    run.go()
    validations = [r for r in run.records if r["split"] == "validation"]
    assert [r["learning_rate"] for r in validations] == pytest.approx(rates)
    assert run.stage.optimiser.param_groups[0]["lr"] == pytest.approx(rates[-1])


def test_training_lowers_the_loss_and_records_are_flat() -> None:
    run = Run([1.0] * 60, max_epochs=40, patience=50)
    before = float(run.module.weight.detach().abs())
    run.go()
    assert float(run.module.weight.detach().abs()) < before / 10
    train = [r for r in run.records if r["split"] == "train"]
    assert [r["step"] for r in train] == [50, 100]
    assert {"total", "gradient", "learning_rate", "samples"} <= train[0].keys()
    validation = [r for r in run.records if r["split"] == "validation"]
    assert [(r["epoch"], r["step"]) for r in validation] == [(e, 3 * e) for e in range(1, 41)]


def test_stopping_saves_and_goes_on_where_it_was() -> None:
    run = Run([5, 4, 3], max_epochs=3)
    state = run.go(stop_at=4)
    assert (state.step, state.epoch, state.batch, state.finished) == (4, 1, 1, False)
    assert run.saves == [True, False]
    state = run.go(stop_at=6)  # the last batch of an epoch, before its validation
    assert (state.step, state.epoch, state.batch) == (6, 1, 3)
    state = run.go()
    assert (state.step, state.epoch, state.finished) == (9, 3, True)
    assert len([r for r in run.records if r["split"] == "validation"]) == 3


def test_saving_within_an_epoch() -> None:
    run = Run([5], max_epochs=1)
    run.go(save_every_s=-1.0)
    assert run.saves == [False, False, False, True]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_takes_no_step(value: float) -> None:
    run = Run([5, 4], max_epochs=2)
    run.go(stop_at=4)
    weight, state = run.module.weight.detach().clone(), run.stage.state.step
    run.factor = value
    with pytest.raises(DivergenceError, match=r"toy: .* at step 4"):
        run.go()
    assert torch.equal(run.module.weight.detach(), weight)
    assert run.stage.state.step == state


def test_gradients_are_clipped(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run([5], max_epochs=1, clip_norm=0.5)
    run.factor = 1000.0
    norms: list[float] = []
    step = run.stage.optimiser.step

    def watch() -> None:
        gradient = run.module.weight.grad
        assert gradient is not None
        norms.append(float(gradient.norm()))
        step()

    monkeypatch.setattr(run.stage.optimiser, "step", watch)
    run.go(stop_at=1)
    assert norms == pytest.approx([0.5], rel=1e-4)


def test_a_restored_stage_continues_to_the_bit() -> None:
    whole, first = Run([5, 4, 6], max_epochs=3), Run([5], max_epochs=3)
    whole.go()
    first.go(stop_at=5)
    second = Run([4, 6], max_epochs=3)
    second.module.load_state_dict(first.module.state_dict())
    second.stage.restore(asdict(first.stage.state), first.stage.tensors())
    second.go()
    assert torch.equal(second.module.weight, whole.module.weight)
    ours, theirs = second.stage.tensors(), whole.stage.tensors()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert second.stage.state.step == whole.stage.state.step
