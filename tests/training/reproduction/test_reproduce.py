"""The whole reproduction, small: two systems in-process, and all nine with three kills (slow)."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch
from click.testing import CliRunner

from empgan_rt.errors import DependencyError, DivergenceError, InputError
from empgan_training.checkpoint import Checkpoint
from empgan_training.config import TrainConfig
from empgan_training.progress import silent
from empgan_training.reproduction import cli
from empgan_training.reproduction.options import (
    ReproduceOptions,
    most_dialogues,
    system_names,
    within,
)
from empgan_training.reproduction.reproduce import reproduce
from empgan_training.reproduction.steps import Steps
from empgan_training.systems import SYSTEMS
from support.runs import recipe
from support.small_data import own_corpus, prepare_own

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of HRED and EmpWD on our own dialogues."""
    before = torch.get_num_threads()
    folder = tmp_path_factory.mktemp("reproduce")
    reproduce(prepare_own(folder, 70), folder / "out", options(folder))
    torch.set_num_threads(before)
    return folder


def options(folder: Path, *systems: str) -> ReproduceOptions:
    names = ",".join(systems or ("HRED", "EmpWD"))
    return ReproduceOptions(system_names(names), (1,), recipe(folder, folder / "unused"))


def times(folder: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_a_corpus_of_ones_own_is_prepared_under_its_licence(tmp_path: Path) -> None:
    corpus, recipe_ = own_corpus(tmp_path / "corpus"), TrainConfig()
    steps = [
        Steps(corpus, tmp_path / name, recipe_, shortened=False, licence=name, on_progress=silent)
        for name in ("MIT", "")
    ]
    steps[0].prepare().run(False)
    assert json.loads((tmp_path / "MIT/prepared/report.json").read_bytes())["licence"] == "MIT"
    with pytest.raises(InputError, match="give --licence"):
        steps[1].prepare().run(False)
    assert steps[0].prepare().inputs.items() > steps[1].prepare().inputs.items()
    shown = CliRunner().invoke(cli.reproduce, ["--help"]).output
    assert "--licence" in shown


def test_it_leaves_replies_facts_and_tables(done: Path) -> None:
    results = done / "out" / "results"
    hred = results / "seed-1" / "HRED"
    assert sorted(path.name for path in hred.iterdir()) == [
        "beam5-gold.jsonl",
        "beam5-recognised.jsonl",
        "case-study.jsonl",
        "costs.json",
        "facts.json",
        "greedy-gold.jsonl",
        "greedy-recognised.jsonl",
        "metrics.jsonl",
        "recipe.json",
    ]
    assert str(done) not in "".join(path.read_text("utf-8") for path in hred.iterdir())
    assert json.loads((hred / "recipe.json").read_bytes())["system"] == "HRED"
    facts = json.loads((results / "seed-1" / "EmpWD" / "facts.json").read_bytes())
    assert facts["perplexity"].keys() == {"gold", "recognised"}
    assert facts["steps"].keys() == {"adversarial"}  # it starts from the shared EmpG
    assert 0 <= facts["reply_emotions"]["classifier_macro_f1"] <= 100
    page = (results / "tables.md").read_text("utf-8")
    assert "| HRED |" in page
    assert "few dialogues" not in page
    assert "EmpWD" in page
    tables = json.loads((results / "tables.json").read_bytes())
    assert tables["systems"] == ["HRED", "EmpWD"]
    hashes = json.loads((results / "hashes.json").read_bytes())
    assert len(hashes) == 2 * 7


def test_the_systems_share_what_they_should(done: Path) -> None:
    runs = done / "out" / "runs" / "seed-1"
    best = {n: Checkpoint.load(runs / n / "best.safetensors") for n in ("HRED", "EmpG", "EmpWD")}
    recogniser = Checkpoint.load(runs / "recogniser" / "recogniser.safetensors").model
    for checkpoint in best.values():
        for name, tensor in checkpoint.model.items():
            if name.startswith("recogniser."):
                assert torch.equal(tensor, recogniser[name])
    classifier = Checkpoint.load(runs / "classifier" / "recogniser.safetensors").model
    assert not torch.equal(
        classifier["recogniser.embedding.weight"], recogniser["recogniser.embedding.weight"]
    )
    assert best["EmpWD"].info["sources"] == {"generator": best["EmpG"].weights_sha256()}


def test_what_is_done_is_not_done_again(done: Path) -> None:
    before = times(done / "out" / "runs")
    stored = times(done / "out" / "results" / "seed-1")
    reproduce(prepare_own(done), done / "out", options(done))
    assert times(done / "out" / "runs") == before
    assert times(done / "out" / "results" / "seed-1") == stored


def test_a_lost_file_is_made_again_and_is_the_same(done: Path) -> None:
    lost = done / "out" / "results" / "seed-1" / "HRED" / "greedy-gold.jsonl"
    before, runs = lost.read_bytes(), times(done / "out" / "runs")
    lost.unlink()
    reproduce(prepare_own(done), done / "out", options(done))
    assert lost.read_bytes() == before
    assert times(done / "out" / "runs") == runs


@pytest.mark.slow
def test_a_lost_or_altered_model_is_trained_again_to_the_same_weights(done: Path) -> None:
    folder = done / "out" / "runs" / "seed-1"
    hred = folder / "HRED" / "best.safetensors"
    before = Checkpoint.load(hred)
    others = times(folder / "EmpWD")
    for damage in ("lost", "altered", "cut"):
        if damage == "lost":
            hred.unlink()
        elif damage == "altered":
            model = {**before.model, "decoder.vocabulary.bias": torch.zeros(3)}
            replace(before, model=model).save(hred)
        else:
            hred.write_bytes(hred.read_bytes()[:1000])
        reproduce(prepare_own(done), done / "out", options(done))
        assert Checkpoint.load(hred).weights_sha256() == before.weights_sha256()
    assert times(folder / "EmpWD") == others


def test_the_folder_may_move(done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(done / "out", tmp_path / "moved")
    before = times(tmp_path / "moved" / "runs")
    monkeypatch.chdir(tmp_path)
    reproduce(prepare_own(done), Path("moved"), options(done))
    assert times(tmp_path / "moved" / "runs") == before
    marker = (tmp_path / "moved" / "steps" / "train" / "seed-1" / "EmpWD.json").read_text()
    assert str(done) not in marker


def test_a_system_that_diverges_does_not_stop_the_others(done: Path, tmp_path: Path) -> None:
    given = options(done, "EmpD", "EmpG")
    tight = msgspec.structs.replace(given.recipe.adversarial, max_drift=1e-9, learning_rate=0.5)
    recipe_ = msgspec.structs.replace(given.recipe, adversarial=tight)
    with pytest.raises(DivergenceError, match="EmpD diverged, the tables are without them"):
        reproduce(
            prepare_own(done), tmp_path / "out", ReproduceOptions(given.systems, (1,), recipe_)
        )
    tables = json.loads((tmp_path / "out" / "results" / "tables.json").read_bytes())
    assert tables["systems"] == ["EmpG"]


def test_what_starts_from_a_system_that_diverges_is_passed_over(
    done: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = options(done, "HRED", "EmpWD")
    steep = msgspec.structs.replace(given.recipe.mle, learning_rate=1e30)
    recipe_ = msgspec.structs.replace(given.recipe, mle=steep)
    with pytest.raises(DivergenceError, match="HRED, EmpG, EmpWD diverged"):
        reproduce(
            prepare_own(done), tmp_path / "out", ReproduceOptions(given.systems, (1,), recipe_)
        )
    assert "EmpG, which it starts from, diverged" in caplog.text
    assert not (tmp_path / "out" / "runs" / "seed-1" / "EmpWD").exists()


def test_a_budget_bounds_every_stage(done: Path) -> None:
    recipe_ = options(done).recipe
    capped = within(recipe_, 9)
    against = capped.adversarial
    assert capped.mle.max_steps == capped.recogniser.max_steps == 9
    assert against.critic_pretrain + against.steps * (against.critic_steps + 1) <= 9
    assert within(recipe_, 1).adversarial.steps == 1
    assert within(recipe_, None) == recipe_


@pytest.mark.parametrize("budget", [4, 9, 12, 100, 2000])
def test_no_adversarial_stage_takes_more_steps_than_its_budget(budget: int) -> None:
    whole = TrainConfig().adversarial
    short = within(TrainConfig(), budget).adversarial
    assert short.critic_pretrain + short.steps * (short.critic_steps + 1) <= budget
    assert short.validation_samples == min(whole.validation_samples, 8 * budget)


def test_a_budget_reads_data_in_proportion_and_the_tables_say_so(tmp_path: Path) -> None:
    given = options(tmp_path, "HRED")
    small = replace(given, budget=1)
    made = reproduce(prepare_own(tmp_path), tmp_path / "out", small)
    assert made.tables.shortened == {"train": 28, "validation": 8, "test": 8}
    assert made.tables.n == 8
    kept = tmp_path / "out" / "results" / "seed-1" / "HRED" / "greedy-gold.jsonl"
    assert len(kept.read_bytes().splitlines()) == 8
    page = made.path.read_text("utf-8")
    assert "few dialogues, as a budget asks (28 of train, 8 of validation, 8 of test)" in page
    assert not (tmp_path / "out" / "prepared").exists()


def test_a_budget_worth_training_with_reads_every_table_sample() -> None:
    assert most_dialogues(TrainConfig(), 4) == {"train": 256, "validation": 32, "test": 32}
    assert most_dialogues(TrainConfig(), 116)["test"] >= 925


def test_a_reproduction_shows_its_first_table(done: Path) -> None:
    (done / "small.toml").write_text(SMALL)
    arguments = [str(prepare_own(done)), str(done / "shown"), "--systems", "HRED", "--budget", "1"]
    arguments += ["--recipe", str(done / "small.toml")]
    shown = CliRunner().invoke(cli.reproduce, arguments)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert lines[0] == "Table 1, greedy search, recognised labels, N = 7:"  # of 70 dialogues
    assert any(line.startswith("| HRED") for line in lines)
    assert lines[-1] == f"all tables: {done / 'shown' / 'results' / 'tables.md'}"
    told = json.loads(CliRunner().invoke(cli.reproduce, [*arguments, "--json"]).stdout)
    assert told.keys() == {"tables", "hashes"}


def test_another_recipe_is_refused(done: Path) -> None:
    given = options(done)
    mle = msgspec.structs.replace(given.recipe.mle, learning_rate=0.5)
    other = ReproduceOptions(given.systems, (1,), msgspec.structs.replace(given.recipe, mle=mle))
    with pytest.raises(InputError, match="begun with another recipe"):
        reproduce(prepare_own(done), done / "out", other)


def test_names_of_systems() -> None:
    assert system_names("all") == tuple(SYSTEMS)
    assert system_names("EmpGAN, HRED") == ("HRED", "EmpGAN")
    with pytest.raises(InputError, match="EmpGun"):
        system_names("HRED,EmpGun")


SMALL = """
threads = 1
save_every_s = 1.0
[recogniser]
learning_rate = 0.02
[mle]
learning_rate = 0.02
[adversarial]
batch_samples = 14
validation_samples = 6
max_length = 6
max_drift = 9.0
rollouts = 2
[model]
embedding_size = 6
emotion_embedding_size = 5
label_embedding_size = 4
hidden_size = 8
recogniser_size = 7
"""


@pytest.mark.slow
def test_all_nine_killed_three_times_end_as_an_undisturbed_run_and_answer(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL, "utf-8")
    corpus = own_corpus(tmp_path / "corpus")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert _start(corpus, whole, tmp_path).wait() == 0
    ends = iter(("train/seed-1/Emo-S2S", "train/seed-1/EmpD", "store/seed-1/SeqGAN"))
    for end in ends:  # killed while the step after each of these is under way
        process = _start(corpus, killed, tmp_path)
        marker = killed / "steps" / f"{end}.json"
        while not marker.is_file():
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert _start(corpus, killed, tmp_path).wait() == 0
    hashes = [json.loads((f / "results" / "hashes.json").read_bytes()) for f in (whole, killed)]
    assert len(hashes[0]) == 9 * 7
    assert hashes[0] == hashes[1]
    tables = [json.loads((f / "results" / "tables.json").read_bytes()) for f in (whole, killed)]
    for table in tables:
        assert table["systems"] == list(SYSTEMS)
        table.pop("costs")
    assert tables[0] == tables[1]
    for name in SYSTEMS:
        best = whole / "runs" / "seed-1" / name / "best.safetensors"
        bundle = tmp_path / f"{name}.empgan"
        _run("export", best, bundle, "--num-contexts", 4)  # ends with 5 if parity fails
        said = subprocess.run(
            [sys.executable, "-m", "empgan_rt", "--json", "chat", str(bundle)],
            input="I passed my exam!\n",
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(said.stdout.splitlines()[0])["text"]


def _start(corpus: Path, out: Path, folder: Path) -> subprocess.Popen[bytes]:
    recipe_ = folder / "small.toml"
    command = ["reproduce", corpus, out, "--licence", "MIT", "--recipe", recipe_, "--budget", "12"]
    with (folder / f"{out.name}.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "empgan_rt", *map(str, command)], stderr=log)


def _run(*arguments: object) -> None:
    command = [sys.executable, "-m", "empgan_rt", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_corpus_that_is_none_leaves_no_folder(done: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no corpus"):
        reproduce(tmp_path / "WRONG", tmp_path / "new" / "out", options(done))
    assert not (tmp_path / "new" / "out").exists()
    (tmp_path / "kept").mkdir()
    with pytest.raises(InputError, match="no corpus"):
        reproduce(tmp_path / "WRONG", tmp_path / "kept", options(done))
    assert (tmp_path / "kept").is_dir()


@pytest.mark.parametrize("package", ["sacrebleu.metrics.bleu", "rouge_score.rouge_scorer"])
def test_what_the_tables_need_is_missed_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    wanted = options(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DependencyError, match=package.partition(".")[0]):
        reproduce(tmp_path / "nothing", tmp_path / "out", wanted)
    assert sorted(tmp_path.rglob("*")) == before
