"""A whole small run: it learns, resumes to the bit, survives NaN, Ctrl-C and a full disk."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from empgan_rt.errors import CheckpointError, DivergenceError, EmpganError, InputError, StorageError
from empgan_rt.storage.file_set import replace_file
from empgan_rt.storage.locks import only_writer
from empgan_training import checkpoint as checkpoint_module
from empgan_training.checkpoint import Checkpoint
from empgan_training.config import ModelSizes, StageConfig, TrainConfig
from empgan_training.data.batch import Batch
from empgan_training.run import precision
from empgan_training.run import run_stage as run_stage_module
from empgan_training.run.stage import Stage
from empgan_training.run.trainer import Trainer
from empgan_training.scoring.validation import calibrate_recogniser
from support.runs import assert_same_run, recipe, records
from support.small_data import SMALL_SIZES, prepare_own, small_checkpoint

pytestmark = pytest.mark.long

RECOGNISER_STEPS = 12  # of the fixture: 2 epochs of 6 batches


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trainer")
    prepare_own(folder, 70)
    return folder


@pytest.fixture(scope="module")
def whole(folder: Path) -> Path:
    """Return the folder of an undisturbed run."""
    out = folder / "whole"
    Trainer(recipe(folder, out)).run()
    return out


def test_the_loss_falls_in_both_stages(whole: Path) -> None:
    found = records(whole)
    mle = [r for r in found if r["stage"] == "mle" and r["split"] == "validation"]
    assert [r["epoch"] for r in mle] == [1, 2, 3]
    assert mle[-1]["perplexity"] < mle[0]["perplexity"] < 500
    assert mle[-1]["label"] < 1.95  # ln 7 and a bit
    recogniser = [r for r in found if r["stage"] == "recogniser"]
    assert [r["step"] for r in recogniser] == [RECOGNISER_STEPS // 2, RECOGNISER_STEPS]
    assert {"macro_f1", "accuracy"} <= recogniser[0].keys()
    assert all(r["samples_per_second"] > 0 for r in found)


def test_a_run_leaves_everything_that_its_docstring_names(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == {
        "recipe.json",
        "metrics.jsonl",
        "tensorboard",
        "last.safetensors",
        "best.safetensors",
        "recogniser.safetensors",
    }
    assert any((whole / "tensorboard").iterdir())
    stored = msgspec.json.decode((whole / "recipe.json").read_bytes(), type=TrainConfig)
    assert stored == msgspec.structs.replace(stored, out=str(whole))
    last, best = (Checkpoint.load(whole / f"{n}.safetensors") for n in ("last", "best"))
    assert best.trainer == {}
    assert "rng" in last.trainer
    assert last.info["stages"]["mle"]["finished"]
    assert best.info["scores"]["mle"]["perplexity"] == last.info["stages"]["mle"]["best"]
    for name in ("system", "recipe", "scores", "data", "licence", "versions"):
        assert name in best.info
    assert best.info["device"] == "cpu"
    assert best.info["precision"] == {"recogniser": "fp32", "mle": "fp32"}
    best.generator()


def test_small_checkpoints_of_other_tests_look_like_a_runs(whole: Path, folder: Path) -> None:
    real = Checkpoint.load(whole / "best.safetensors")
    small = Checkpoint.load(small_checkpoint(folder))
    assert small.config == real.config
    assert small.texts == real.texts
    assert small.info.keys() == real.info.keys()
    assert small.info["data"].keys() == real.info["data"].keys()
    assert small.info["data"]["sha256"] == real.info["data"]["sha256"]
    assert small.model.keys() == real.model.keys()


def test_the_recogniser_is_frozen_in_the_second_stage(folder: Path, tmp_path: Path) -> None:
    trainer = Trainer(recipe(folder, tmp_path / "run"))
    trainer.run(max_steps=RECOGNISER_STEPS + 1)
    before = Checkpoint.load(tmp_path / "run" / "recogniser.safetensors").model
    trainer.run()
    after = Checkpoint.load(tmp_path / "run" / "last.safetensors").model
    for name in before:
        same = torch.equal(before[name], after[name])
        assert same == name.startswith("recogniser."), name


def test_a_recogniser_of_word_pairs_learns_from_every_turn_and_is_calibrated(
    folder: Path, tmp_path: Path
) -> None:
    sizes = ModelSizes(**SMALL_SIZES, recogniser_buckets=512, dropout=0.0)
    trainer = Trainer(recipe(folder, tmp_path / "run", model=sizes))
    read = trainer.stages[0].data.dialogues
    plain = trainer.data.split("train")
    assert [d.context for d in read] == [d.turns for d in plain]
    trainer.run(until="recogniser")
    scores = trainer.best_scores["recogniser"]
    assert {"macro_f1", "accuracy", "calibration_error"} <= scores.keys()
    best = Checkpoint.load(tmp_path / "run" / "recogniser.safetensors")
    assert best.config.recogniser_buckets == 512
    assert best.model["recogniser.embedding.weight"].shape[0] == 512
    generator = best.generator()
    last = generator.recogniser.classify.weight.clone()
    calibrate_recogniser(generator, trainer.data.split("validation"))
    torch.testing.assert_close(generator.recogniser.classify.weight, last, rtol=1e-3, atol=1e-6)


def test_a_recogniser_of_another_kind_is_not_taken_over(
    whole: Path, folder: Path, tmp_path: Path
) -> None:
    sizes = ModelSizes(**SMALL_SIZES, recogniser_buckets=512)
    config = recipe(folder, tmp_path / "run", model=sizes)
    config = msgspec.structs.replace(config, recogniser_from=str(whole / "recogniser.safetensors"))
    with pytest.raises(InputError, match=r"\(7, 0\) as size and buckets, \(7, 512\) wanted"):
        Trainer(config)


def test_the_best_recogniser_is_kept_not_the_last(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(recipe(folder, tmp_path / "run"))
    scores = iter([0.9, 0.1])
    stage = trainer.stages[0]
    stage.task = replace(stage.task, validate=lambda: {"macro_f1": next(scores)})
    kept: list[dict[str, torch.Tensor]] = []
    save = Checkpoint.save

    def watch(checkpoint: Checkpoint, path: Path) -> None:
        save(checkpoint, path)
        if path.name == "recogniser.safetensors":
            kept.append(dict(Checkpoint.load(path).model))

    monkeypatch.setattr(Checkpoint, "save", watch)
    trainer.run(max_steps=RECOGNISER_STEPS + 1)
    assert len(kept) == 1
    last = Checkpoint.load(tmp_path / "run" / "last.safetensors")
    assert last.info["stages"]["recogniser"]["finished"]
    assert last.info["scores"]["recogniser"]["macro_f1"] == 0.9
    for name in last.model:
        if name.startswith("recogniser."):
            assert torch.equal(last.model[name], kept[0][name]), name


def scripted(folder: Path, out: Path, resume: bool = False) -> Trainer:
    """Return a trainer whose second stage is best after its first epoch."""
    stage = StageConfig(learning_rate=0.02, batch_samples=28, max_epochs=3, patience=3)
    trainer = Trainer(recipe(folder, out, mle=stage), resume=resume)
    mle = trainer.stages[1]
    mle.task = replace(mle.task, validate=lambda: {"perplexity": 10.0 + mle.state.epoch})
    return trainer


def test_each_checkpoint_states_the_scores_of_its_own_weights(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    scripted(folder, out).run(max_steps=RECOGNISER_STEPS + 13)  # 6 steps an epoch
    scores = scripted(folder, out, resume=True).run()
    last, best = (Checkpoint.load(out / f"{name}.safetensors").info for name in ("last", "best"))
    assert last["scores"]["mle"]["perplexity"] == 12.0
    assert best["scores"]["mle"]["perplexity"] == 10.0
    assert scores["mle"]["perplexity"] == last["best_scores"]["mle"]["perplexity"] == 10.0


def test_an_untrained_generator_is_never_the_best(folder: Path, tmp_path: Path) -> None:
    Trainer(recipe(folder, tmp_path / "run")).run(max_steps=RECOGNISER_STEPS + 1)
    assert (tmp_path / "run" / "recogniser.safetensors").is_file()
    assert not (tmp_path / "run" / "best.safetensors").exists()


def rewrite(path: Path, **changes: Any) -> None:
    """Save a checkpoint again with other attributes."""
    replace(Checkpoint.load(path), **changes).save(path)


def test_another_torch_or_thread_count_is_warned_of(
    folder: Path, tmp_path: Path, whole: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    with caplog.at_level(logging.WARNING, "empgan_training"):
        Trainer(recipe(folder, run), resume=True)
        assert caplog.messages == []
        info = Checkpoint.load(run / "last.safetensors").info
        versions = {**info["versions"], "torch": "1.0"}
        changed = {**info, "device": "cuda (a GPU)", "threads": 9, "bf16": "perhaps"}
        changed |= {"versions": versions}
        rewrite(run / "last.safetensors", info=changed)
        Trainer(recipe(folder, run), resume=True)
    assert len(caplog.messages) == 4
    assert "torch 1.0" in caplog.messages[0]
    assert "device cuda (a GPU), now cpu" in caplog.messages[1]
    assert "threads 9, now 1" in caplog.messages[2]
    assert "bf16 perhaps, now" in caplog.messages[3]
    assert all("no longer bit-exact" in message for message in caplog.messages)


@pytest.mark.parametrize(
    "damage", ["weight", "nan", "adam", "shape", "name", "rng", "stages", "state", "learning_rate"]
)
def test_a_trainer_state_that_does_not_fit_is_a_checkpoint_error(
    folder: Path, tmp_path: Path, whole: Path, damage: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    last = Checkpoint.load(run / "last.safetensors")
    info, model, trainer = dict(last.info), dict(last.model), dict(last.trainer)
    if damage == "weight":
        model["label_head.bias"] = model["label_head.bias"][:-1]
    elif damage == "adam":
        trainer["mle/adam.first.step"] = torch.zeros(1)
    elif damage == "nan":
        model["label_head.bias"] = model["label_head.bias"] * float("nan")
    elif damage == "shape":
        trainer["mle/adam.0.exp_avg"] = torch.zeros(3)
    elif damage == "state":
        info["stages"] = {**info["stages"], "mle": {**info["stages"]["mle"], "epoch": -1}}
    elif damage == "learning_rate":
        info["stages"] = {**info["stages"], "mle": {"step": 1, "learning_rate": "fast"}}
    elif damage == "name":
        trainer["mle/adam"] = torch.zeros(1)
    elif damage == "rng":
        trainer["rng"] = torch.zeros(3)
    else:
        info["stages"] = {"mle": info["stages"]["mle"]}
    rewrite(run / "last.safetensors", info=info, model=model, trainer=trainer)
    with pytest.raises(CheckpointError, match="cannot go on"):
        Trainer(recipe(folder, run), resume=True)


@pytest.mark.parametrize(
    "changes",
    [
        *({"best_scores": []}, {"best_scores": None}, {"scores": {"mle": {}}, "best_scores": 1}),
        *({"sources": {"generator": 1}}, {"processes": "1"}, {"processes": 0}, {"device": 3}),
        *({"threads": [1]}, {"recipe": {"seed": 1, "mle": {"learning_rate": 1}, "out": 3}}),
    ],
    ids=str,
)
def test_facts_of_another_type_cannot_be_resumed_from(
    folder: Path, tmp_path: Path, whole: Path, changes: dict[str, Any]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    info = Checkpoint.load(run / "last.safetensors").info
    rewrite(run / "last.safetensors", info={**info, **changes})
    with pytest.raises(EmpganError) as caught:
        Trainer(recipe(folder, run), resume=True)
    assert caught.value.exit_code in (2, 4)


def test_records_that_are_none_are_left_out_when_a_run_goes_on(
    folder: Path, tmp_path: Path, whole: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    before = (run / "metrics.jsonl").read_bytes()
    odd = [
        b"null",
        b"[" * 100_000,
        b'{"stage": "none", "split": "train", "step": 1}',
        b'{"step": 1}',
    ]
    odd += [b"\xff", b"9" * 5000, b'{"stage": "mle", "split": "train", "step": "1"}']
    (run / "metrics.jsonl").write_bytes(b"\n".join(odd) + b"\n" + before)
    Trainer(recipe(folder, run), resume=True)
    assert (run / "metrics.jsonl").read_bytes() == before


def test_an_out_folder_that_cannot_be_is_an_input_error(folder: Path) -> None:
    for resume in (False, True):
        with pytest.raises(InputError, match="cannot be a folder"):
            Trainer(recipe(folder, Path("a" * 300)), resume=resume)


@pytest.mark.parametrize(
    "stops",
    [
        [1],
        [RECOGNISER_STEPS // 2],  # the last batch of an epoch, before it is validated
        [RECOGNISER_STEPS - 1, RECOGNISER_STEPS, RECOGNISER_STEPS + 1],
        [RECOGNISER_STEPS + 4, RECOGNISER_STEPS + 9],
    ],
    ids=str,
)
def test_resuming_gives_the_same_run_to_the_bit(
    folder: Path, tmp_path: Path, whole: Path, stops: list[int]
) -> None:
    config = recipe(folder, tmp_path / "run")
    for i, stop in enumerate(stops):
        Trainer(config, resume=i > 0).run(max_steps=stop)
        state = Checkpoint.load(tmp_path / "run" / "last.safetensors").info["stages"]
        assert sum(stage["step"] for stage in state.values()) == stop
        torch.rand(7)  # a new process starts from another random state
    Trainer(config, resume=True).run()
    assert_same_run(tmp_path / "run", whole)


@pytest.mark.slow
def test_resuming_at_every_step_gives_the_same_run(
    folder: Path, tmp_path: Path, whole: Path
) -> None:
    config = recipe(folder, tmp_path / "run")
    stages = Checkpoint.load(whole / "last.safetensors").info["stages"]
    for stop in range(1, sum(stage["step"] for stage in stages.values()) + 1):
        Trainer(config, resume=stop > 1).run(max_steps=stop)
    Trainer(config, resume=True).run()
    assert_same_run(tmp_path / "run", whole)


def test_a_crash_after_the_last_checkpoint_is_resumed_to_the_bit(
    folder: Path, tmp_path: Path, whole: Path
) -> None:
    """kill -9: metrics and best weights are newer than what is resumed, a line is cut."""
    config = recipe(folder, tmp_path / "run")
    trainer = Trainer(config)
    trainer.run(max_steps=RECOGNISER_STEPS + 2)
    old = (tmp_path / "run" / "last.safetensors").read_bytes()
    trainer.run(max_steps=RECOGNISER_STEPS + 9)
    (tmp_path / "run" / "last.safetensors").write_bytes(old)
    with (tmp_path / "run" / "metrics.jsonl").open("ab") as file:
        file.write(b'{"stage":"mle","spl')
    Trainer(config, resume=True).run()
    assert_same_run(tmp_path / "run", whole)


def test_a_finished_run_resumed_does_nothing(folder: Path, tmp_path: Path, whole: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    scores = Trainer(recipe(folder, tmp_path / "run"), resume=True).run()
    assert scores == Checkpoint.load(whole / "last.safetensors").info["best_scores"]
    assert_same_run(tmp_path / "run", whole)


def test_max_steps_already_taken_takes_no_more(folder: Path, tmp_path: Path) -> None:
    config = recipe(folder, tmp_path / "run")
    Trainer(config).run(max_steps=3)
    before = (tmp_path / "run" / "last.safetensors").read_bytes()
    Trainer(config, resume=True).run(max_steps=3)
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == before


def test_runs_of_one_seed_are_equal_and_of_two_differ(folder: Path, tmp_path: Path) -> None:
    models = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        Trainer(recipe(folder, tmp_path / name, seed=seed)).run(max_steps=2)
        models.append(Checkpoint.load(tmp_path / name / "last.safetensors").model)
    a, b, c = models
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["recogniser.classify.weight"], c["recogniser.classify.weight"])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 9}, "seed"),
        ({"mle": StageConfig(learning_rate=1.0)}, "mle"),
        ({"model": ModelSizes(**SMALL_SIZES, dropout=0.3)}, "model"),
        ({"max_response": 5}, "max_response"),
    ],
    ids=["seed", "mle", "model", "max_response"],
)
def test_resuming_with_another_recipe_is_refused(
    folder: Path, tmp_path: Path, whole: Path, changes: dict[str, Any], named: str
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    with pytest.raises(InputError, match=f"had another {named}"):
        Trainer(recipe(folder, tmp_path / "run", **changes), resume=True)


def test_resuming_with_other_data_is_refused(folder: Path, tmp_path: Path, whole: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    other = prepare_own(tmp_path, 60)
    with pytest.raises(InputError, match="had another data folder"):
        Trainer(recipe(folder, tmp_path / "run", data=str(other)), resume=True)


def test_what_does_not_change_the_result_may_change(
    folder: Path, tmp_path: Path, whole: Path
) -> None:
    shutil.copytree(whole, tmp_path / "moved")
    shutil.copytree(prepare_own(folder), tmp_path / "data")
    changes = {"data": str(tmp_path / "data"), "save_every_s": 1.0}
    Trainer(recipe(folder, tmp_path / "moved", **changes), resume=True)


def test_a_run_is_never_overwritten_or_invented(folder: Path, tmp_path: Path, whole: Path) -> None:
    before = (whole / "last.safetensors").read_bytes()
    with pytest.raises(InputError, match="holds a run"):
        Trainer(recipe(folder, whole))
    assert (whole / "last.safetensors").read_bytes() == before
    with pytest.raises(InputError, match="no run to resume"):
        Trainer(recipe(folder, tmp_path / "none"), resume=True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("damage", ["truncated", "best", "other"])
def test_resuming_from_what_is_no_run_is_a_checkpoint_error(
    folder: Path, tmp_path: Path, whole: Path, damage: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    if damage == "truncated":
        data = (run / "last.safetensors").read_bytes()
        (run / "last.safetensors").write_bytes(data[: len(data) // 2])
    elif damage == "best":
        shutil.copy(run / "best.safetensors", run / "last.safetensors")
    else:
        shutil.copy(small_checkpoint(folder), run / "last.safetensors")
    with pytest.raises(CheckpointError):
        Trainer(recipe(folder, run), resume=True)


def poison(monkeypatch: pytest.MonkeyPatch, at: int, what: str) -> None:
    """Make the loss, or only a gradient, NaN in the step after `at` of the second stage."""
    real = Stage._step

    def step(stage: Stage, batch: Batch) -> dict[str, float]:
        if stage.name == "mle" and stage.state.step == at:
            losses = stage.task.losses

            def bad(batch: Batch) -> Any:
                found = dict(losses(batch))
                if what == "loss":
                    found["total"] = found["total"] * float("nan")
                else:  # a finite loss whose gradient is not: d sqrt(x) at 0
                    found["total"] = found["total"] + torch.sqrt(found["total"] * 0.0)
                return found

            stage.task = replace(stage.task, losses=bad)
        return real(stage, batch)

    monkeypatch.setattr(Stage, "_step", step)


@pytest.mark.parametrize(("at", "what"), [(1, "gradient"), (8, "loss")])
def test_nan_stops_and_the_last_checkpoint_is_good(
    folder: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, at: int, what: str
) -> None:
    config = recipe(folder, tmp_path / "run")
    with monkeypatch.context() as patch:
        poison(patch, at, what)
        with pytest.raises(DivergenceError, match=f"mle: .*nan.* at step {at}"):
            Trainer(config).run()
    last = Checkpoint.load(tmp_path / "run" / "last.safetensors")
    last.generator()  # refuses weights that are not finite
    assert last.info["stages"]["mle"]["step"] <= at
    Trainer(config, resume=True).run()
    assert_same_run(tmp_path / "run", whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_run_goes_on_to_the_bit(
    folder: Path,
    tmp_path: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    config = recipe(folder, tmp_path / "run")
    real = Stage._step

    def step(stage: Stage, batch: Batch) -> dict[str, float]:
        if stage.name == "mle" and stage.state.step == 2:
            os.kill(os.getpid(), number)
        return real(stage, batch)

    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "_step", step)
        with pytest.raises(KeyboardInterrupt):
            Trainer(config).run()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    state = Checkpoint.load(tmp_path / "run" / "last.safetensors").info["stages"]
    assert state["mle"]["step"] == 3  # the step under way was finished, then saved
    Trainer(config, resume=True).run()
    assert_same_run(tmp_path / "run", whole)


CHILD = """
import os, signal, sys
import msgspec
from empgan_training.config import TrainConfig
from empgan_training.run.stage import Stage
from empgan_training.run.trainer import Trainer

config = msgspec.json.decode(sys.argv[1], type=TrainConfig)
real = Stage._step
def step(stage, batch):
    if stage.state.step == 2:
        print("ready", flush=True)
        sys.stdin.readline()  # until the parent has sent its signal
    return real(stage, batch)
Stage._step = step
try:
    Trainer(config).run()
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.slow
def test_ctrl_c_from_outside_saves(folder: Path, tmp_path: Path) -> None:
    config = msgspec.json.encode(recipe(folder, tmp_path / "run")).decode()
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, config],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        child.stdin.write("\n")
        child.stdin.close()
        assert child.wait(timeout=60) == 130
    state = Checkpoint.load(tmp_path / "run" / "last.safetensors").info["stages"]
    assert state["recogniser"]["step"] == 3


def test_a_full_disk_ends_the_run_and_keeps_the_checkpoint(
    folder: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = recipe(folder, tmp_path / "run")
    Trainer(config).run(max_steps=RECOGNISER_STEPS + 2)
    before = (tmp_path / "run" / "last.safetensors").read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    def on_a_full_disk(path: Path, data: bytes) -> None:
        with monkeypatch.context() as disk:
            disk.setattr(os, "fsync", full)
            replace_file(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_module, "replace_file", on_a_full_disk)
        with pytest.raises(StorageError):
            Trainer(config, resume=True).run()
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == before
    Trainer(config, resume=True).run()
    assert_same_run(tmp_path / "run", whole)


def test_checkpoints_within_an_epoch_change_nothing(
    folder: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**9))
    monkeypatch.setattr(run_stage_module.time, "monotonic", lambda: float(next(clock)))
    saved: list[str] = []
    save = Checkpoint.save

    def watch(checkpoint: Checkpoint, path: Path) -> None:
        saved.append(path.name)
        save(checkpoint, path)

    monkeypatch.setattr(Checkpoint, "save", watch)
    Trainer(recipe(folder, tmp_path / "run", save_every_s=5.0)).run()
    assert saved.count("last.safetensors") > 5  # more than the epochs
    for name, tensor in Checkpoint.load(whole / "last.safetensors").model.items():
        assert torch.equal(
            tensor, Checkpoint.load(tmp_path / "run" / "last.safetensors").model[name]
        )


def test_bfloat16_trains_too(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    stage = {"learning_rate": 0.02, "batch_samples": 28, "precision": "bf16"}
    config = recipe(
        folder,
        tmp_path / "run",
        recogniser=StageConfig(**stage, max_epochs=1),
        mle=StageConfig(**stage, max_epochs=2),
    )
    Trainer(config).run()
    perplexities = [r["perplexity"] for r in records(tmp_path / "run") if "perplexity" in r]
    assert perplexities[1] < perplexities[0]
    assert {
        t.dtype for t in Checkpoint.load(tmp_path / "run" / "best.safetensors").model.values()
    } == {torch.float32}


# Two runs in one folder, and what a run tells


def test_a_second_run_in_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    config = recipe(folder, out)
    Trainer(config).run(max_steps=RECOGNISER_STEPS // 2 + 1)
    before = (out / "metrics.jsonl").read_bytes(), (out / "last.safetensors").read_bytes()
    with only_writer(out), pytest.raises(InputError, match="another run is at work"):
        Trainer(config, resume=True)
    (empty := tmp_path / "empty").mkdir()
    new = Trainer(recipe(folder, empty))
    with only_writer(empty), pytest.raises(InputError, match="another run is at work"):
        new.run()
    assert [*empty.iterdir()] == []
    after = (out / "metrics.jsonl").read_bytes(), (out / "last.safetensors").read_bytes()
    assert after == before


def test_who_was_overtaken_does_not_go_on(folder: Path, tmp_path: Path) -> None:
    config = recipe(folder, tmp_path / "run")
    early, other = Trainer(config), Trainer(config)
    early.run(max_steps=2)
    saved = (tmp_path / "run" / "last.safetensors").read_bytes()
    with pytest.raises(InputError, match="another run was at work"):
        other.run(max_steps=3)
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == saved
    early.run(max_steps=4)  # its own work is no other's


class Seen:
    """An `on_progress` that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    @contextmanager
    def __call__(self, title: str, total: int | None, /) -> Iterator[Any]:
        told = self.told

        class Reporter:
            def update(self, done: int, note: str = "") -> None:
                told.append((title, done))

        yield Reporter()


def test_a_run_tells_of_its_start_and_goes_on_where_it_was(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, seen = recipe(folder, tmp_path / "run"), Seen()
    Trainer(config).run(max_steps=RECOGNISER_STEPS // 2 + 2)
    with caplog.at_level(logging.INFO, logger="empgan_training"):
        trainer = Trainer(config, resume=True, on_progress=seen)
        assert [title for title, _ in seen.told] == ["reading the data"] * 4
        trainer.run(max_steps=RECOGNISER_STEPS // 2 + 3)
    assert f"resuming at step {RECOGNISER_STEPS // 2 + 2}" in caplog.messages
    assert seen.told[4:] == [("recogniser epoch 2", 2), ("recogniser epoch 2", 3)]


def test_validations_are_lines_for_people(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="empgan_training"):
        Trainer(recipe(folder, tmp_path / "run")).run(until="recogniser")
    (first, *_) = [line for line in caplog.messages if line.startswith("recogniser")]
    assert first.startswith(f"recogniser, epoch 1, step {RECOGNISER_STEPS // 2}: ")
    assert "macro_f1" in first
    assert not {*"{}'"} & {*first}
