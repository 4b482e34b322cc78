"""Long work tells its `on_progress`, nobody where none is given, and commands draw what is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from empgan_export.options import ExportOptions
from empgan_export.package import export_bundle
from empgan_rt.cli import console
from empgan_rt.cli.main import main
from empgan_training.config import StageConfig
from empgan_training.progress import Reporter, silent
from empgan_training.run.parallel import Workers
from empgan_training.run.trainer import Trainer
from empgan_training.scoring.evaluate import evaluate
from empgan_training.scoring.evaluation import EvaluateOptions
from empgan_training.scoring.opened_model import open_model
from support.runs import recipe
from support.small_data import prepare_own, small_checkpoint

# Of an evaluation whose perplexity reads either kind of labels.
PASSES = ("perplexity", "perplexity", "generation, beam 1", "recogniser")
FEW = StageConfig(learning_rate=0.02, batch_samples=28, max_epochs=1)


class Told:
    """Remembers what it is told: each piece of work, what was around it, and its updates."""

    def __init__(self) -> None:
        self.works: list[tuple[str, ...]] = []
        self.totals: dict[str, int | None] = {}
        self.updates: dict[str, list[tuple[int, str]]] = {}
        self._open: list[str] = []

    @contextmanager
    def __call__(self, title: str, total: int | None, /) -> Iterator[Reporter]:
        self._open.append(title)
        self.works.append(tuple(self._open))
        self.totals[title] = total
        yield _Updates(self.updates.setdefault(title, []))
        assert self._open.pop() == title


class _Updates:
    def __init__(self, seen: list[tuple[int, str]]) -> None:
        self._seen = seen

    def update(self, done: int, note: str = "") -> None:
        self._seen.append((done, note))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("progress")


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Path:
    return small_checkpoint(folder)


def test_an_evaluation_tells_of_each_pass(folder: Path, checkpoint: Path) -> None:
    told = Told()
    options = EvaluateOptions(limit=40, labels="recognised")
    evaluate(open_model(str(checkpoint)), prepare_own(folder), options, told)
    assert told.works == [("perplexity",), ("generation, beam 1",), ("recogniser",)]
    for title, updates in told.updates.items():
        counts = [done for done, _ in updates]
        assert counts == sorted(counts)
        assert counts[-1] == told.totals[title]
    assert told.totals["perplexity"] == 40


def test_a_run_tells_of_epochs_and_what_goes_on_within(folder: Path) -> None:
    told = Told()
    config = recipe(folder, folder / "run", system="EmpWD", recogniser=FEW, mle=FEW)
    Trainer(config, on_progress=told).run()
    assert told.works[0] == ("reading the data",)
    assert told.works[1:4] == [("recogniser epoch 1",), ("mle epoch 1",), ("adversarial",)]
    assert set(told.works[4:]) == {("adversarial", "generation, beam 1")}
    done, note = told.updates["mle epoch 1"][-1]
    assert done == told.totals["mle epoch 1"]
    assert note.startswith("loss ")


def test_the_first_process_of_a_run_tells_and_the_others_do_not(folder: Path) -> None:
    told = Told()
    for rank, wanted in ((0, told), (1, silent)):
        workers = Workers(rank, 1)
        with mock.patch.object(Workers, "of_environment", return_value=workers):
            config = recipe(folder, folder / f"rank-{rank}", system="EmpWD")
            trainer = Trainer(config, on_progress=told)
        assert [stage.data.on_progress for stage in trainer.stages] == [wanted] * 3


@pytest.mark.slow
def test_an_export_tells_five_times(folder: Path, checkpoint: Path) -> None:
    told = Told()
    options = ExportOptions(num_contexts=1, precisions=(), dry_run=True)
    export_bundle(checkpoint, folder / "x.empgan", options, told)
    notes = ["graphs", "goldens", "values", "tokens", "checked"]
    assert told.updates == {"export": [*enumerate(notes, start=1)]}
    assert told.totals == {"export": 5}


@pytest.mark.slow
def test_nobody_is_told_unasked(
    folder: Path, checkpoint: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    evaluate(open_model(str(checkpoint)), prepare_own(folder), EvaluateOptions(limit=2))
    Trainer(recipe(folder, folder / "quiet", recogniser=FEW, mle=FEW)).run()
    export_bundle(
        checkpoint, folder / "x.empgan", ExportOptions(num_contexts=1, precisions=(), dry_run=True)
    )
    assert capfd.readouterr() == ("", "")


def test_commands_draw_what_they_are_told(
    folder: Path,
    checkpoint: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    traced: None,
) -> None:
    """Without a terminal: a line at the end of each piece of work, however long it took."""
    monkeypatch.setattr(console, "_PLAIN_INTERVAL_S", float("inf"))
    data = prepare_own(folder)
    assert main(["evaluate", str(checkpoint), "--data", str(data), "--limit", "2"]) == 0
    lines = capfd.readouterr().err.splitlines()
    assert lines == [f"{title}: 2/2" for title in PASSES]
    small = ["train", "tiny", "--max-steps", "1", "--set", "threads=1"]
    sets = [f"data={data}", f"out={folder / 'drawn'}", "recogniser.batch_samples=100000"]
    assert main([*small, *(word for each in sets for word in ("--set", each))]) == 0
    assert "recogniser epoch 1: 1/1 loss " in capfd.readouterr().err
    options = ["--num-contexts", "1", "--precision", "fp32", "--dry-run"]
    assert main(["export", str(checkpoint), str(folder / "x.empgan"), *options]) == 0
    assert capfd.readouterr().err.splitlines() == ["export: 5/5 checked"]
