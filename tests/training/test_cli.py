"""The wing's commands: what they print, and which error ends them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from empgan_rt.cli.main import main
from empgan_rt.errors import InputError
from empgan_training.config import SHIPPED_NAMES, TrainConfig, find_recipe, load_recipe
from empgan_training.data.prepared import PreparedData
from empgan_training.data.protocol import PrepareOptions
from empgan_training.human.sheet import SheetOptions
from empgan_training.metrics.bootstrap import resample_texts
from empgan_training.reproduction.options import ReproduceOptions
from empgan_training.run.trainer import Trainer
from empgan_training.scoring.report_text import train_text
from support.small_data import OWN_DIALOGUES, prepare_own, small_checkpoint

SMALL = ["embedding_size=6", "emotion_embedding_size=5", "label_embedding_size=4"]
SMALL += ["hidden_size=8", "recogniser_size=7"]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def prepared(folder: Path) -> Path:
    return prepare_own(folder)


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Path:
    return small_checkpoint(folder)


class Outcome:
    """Exit code, stdout and stderr of one command."""

    def __init__(self, capfd: pytest.CaptureFixture[str], *arguments: object) -> None:
        self.code = main([str(argument) for argument in arguments])
        self.out, self.err = capfd.readouterr()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def test_prepare_reads_one_unsplit_file(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = Outcome(
        capfd,
        *("data", "prepare", OWN_DIALOGUES, out, "--json", "--licence", "Apache-2.0"),
        *("--split", "8:1:1", "--min-count", 1, "--max-words", 300, "--lowercase"),
        *("--test-dialogues", 7, "--samples-per-dialogue", 2, "--seed", 5),
    )
    assert done.code == 0
    report = done.json
    assert report["read"] == {"all": len(OWN_DIALOGUES.read_text("utf-8").splitlines())}
    assert report["vocabulary"]["ours"] == 304
    assert 7 <= report["table_samples"] <= 14
    assert report["options"]["split"] == [8, 1, 1]
    assert report["options"]["vocabulary"]["lowercase"] is True
    assert report["licence"] == "Apache-2.0"
    assert report["out"] == str(out)
    assert (out / "train.jsonl").is_file()

    again = Outcome(capfd, "data", "prepare", OWN_DIALOGUES, out)
    assert again.code == 2
    licence = ("--licence", "Apache-2.0")
    unknown = Outcome(capfd, "data", "prepare", OWN_DIALOGUES, out, "--force", "--json")
    assert unknown.code == 2
    assert "--licence" in unknown.json["error"]["hint"]
    forced = Outcome(capfd, "data", "prepare", OWN_DIALOGUES, out, "--force", *licence)
    assert forced.code == 0
    assert "emotion vocabulary" in forced.out
    assert "11,647" in forced.out
    assert "dropped: 0 duplicates, 0 too short, 0 without a label change" in forced.out
    hashes = json.loads((out / "report.json").read_bytes())["sha256"]
    for name, digest in hashes.items():
        assert f"{digest[:12]}\n" in forced.out, name


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "prepare", "nowhere", "out"],
        ["data", "prepare", str(OWN_DIALOGUES), "out", "--split", "10:1"],
        ["data", "prepare", str(OWN_DIALOGUES), "out", "--split", "10:0:1"],
        ["data", "prepare", str(OWN_DIALOGUES), "out", "--min-count", "0"],
        ["train", "nowhere.toml"],
        ["train", "tiny", "--set", "nonsense"],
        ["train", "tiny", "--set", "no.such.key=1"],
        ["train", "tiny", "--set", "data=nowhere"],
        ["train", "tiny", "--resume"],
        ["evaluate"],
        ["evaluate", "tiny"],
        ["evaluate", "tiny", "--predictions", "a", "--references", "b"],
        ["evaluate", "--predictions", "a"],
        ["evaluate", "--predictions", "a", "--references", "b"],
        ["evaluate", "tiny", "--data", "nowhere", "--labels", "guessed"],
        ["evaluate", "tiny", "--data", "nowhere", "--metrics", "meteor"],
        ["evaluate", "tiny", "--data", "nowhere", "--beam", "0"],
        ["evaluate", "tiny", "--data", "nowhere", "--save-predictions", "nowhere/p"],
        ["evaluate", "none", "--data", "nowhere", "--save-predictions", "."],
        ["evaluate", "none", "--data", ".", "--save-predictions", "p", "--metrics", "perplexity"],
    ],
)
def test_bad_arguments_end_with_2(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Outcome(capfd, *arguments).code == 2
    assert list(tmp_path.iterdir()) == []


def test_other_errors_keep_their_codes(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, checkpoint: Path
) -> None:
    assert Outcome(capfd, "evaluate", tmp_path / "none", "--data", tmp_path).code == 4
    assert Outcome(capfd, "evaluate", tmp_path / "none.safetensors", "--data", tmp_path).code == 4
    missing = Outcome(capfd, "evaluate", checkpoint, "--data", tmp_path / "none", "--json")
    assert missing.code == 2
    assert missing.json["error"]["code"] == "bad_input"
    damaged = tmp_path / "own.jsonl"
    damaged.write_text('{"dialogue": []}\n', "utf-8")
    assert Outcome(capfd, "data", "prepare", damaged, tmp_path / "out").code == 7


def test_train_says_where_the_best_checkpoint_is(
    capfd: pytest.CaptureFixture[str], prepared: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    settings = [f"model.{size}" for size in SMALL]
    settings += [f"data={prepared}", f"out={out}", "threads=1"]
    settings += [f"{s}.max_epochs=1" for s in ("mle", "recogniser")]
    command = ["train", "tiny", *(part for s in settings for part in ("--set", s))]
    started = Outcome(capfd, *command, "--max-steps", 3, "--json")
    assert started.code == 0
    assert (started.json["best"], started.json["scores"]) == (None, {})
    assert not started.json["finished"]
    assert started.json["samples_per_second"].keys() == {"recogniser"}
    assert started.json["samples_per_second"]["recogniser"] > 0
    assert started.json["device"] == "cpu"
    assert started.json["precision"] == {"recogniser": "fp32", "mle": "fp32"}
    assert Outcome(capfd, *command).code == 2  # there is a run

    done = Outcome(capfd, *command, "--resume", "--json")
    assert done.code == 0
    result = done.json
    assert result["finished"] is True
    assert result["best"] == str(out / "best.safetensors")
    assert result["scores"]["mle"]["perplexity"] > 1
    assert 0 <= result["scores"]["recogniser"]["macro_f1"] <= 100
    shown = Outcome(capfd, *command, "--resume")
    assert "best.safetensors" in shown.out
    assert "perplexity" in shown.out


def test_evaluate_prints_tables_and_json(
    capfd: pytest.CaptureFixture[str], prepared: Path, checkpoint: Path, tmp_path: Path
) -> None:
    command = ["evaluate", checkpoint, "--data", prepared, "--limit", 5, "--beam", 2]
    saved = tmp_path / "predictions.jsonl"
    shown = Outcome(capfd, *command, "--save-predictions", saved)
    assert shown.code == 0
    for name in ("recognised labels", "add-one trigram", "BLEU-4", "ROUGE-L", "macro-F1", "beam 2"):
        assert name in shown.out
    assert len(saved.read_text("utf-8").splitlines()) == 5
    scored = Outcome(capfd, *command, "--metrics", "bleu,rouge,distinct", "--json").json
    again = Outcome(capfd, "evaluate", "--predictions", saved, "--data", prepared, "--json").json
    assert {key: again[key] for key in scored["text"]["scores"]} == scored["text"]["scores"]
    found = Outcome(capfd, *command, "--metrics", "bleu, rouge", "--json").json
    assert set(found["text"]["scores"]) >= {"bleu", "rouge"}
    assert "distinct" not in found["text"]["scores"]
    assert found["text"]["search"]["beam_size"] == 2


def test_evaluate_scores_plain_files(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("how nice to hear that !\n", "utf-8")
    files = ["--predictions", text, "--references", text]
    assert "100.00" in Outcome(capfd, "evaluate", *files).out
    report = Outcome(capfd, "evaluate", *files, "--json").json
    assert report["bleu"]["bleu_4"]["value"] == pytest.approx(100)
    for option in (["--metrics", "nonsense"], ["--beam", 5], ["--split", "test"], ["--limit", 1]):
        refused = Outcome(capfd, "evaluate", *files, *option)
        assert refused.code == 2
        assert f"{option[0]} with --predictions" in refused.err


def test_train_tells_the_scores_of_a_system_with_critics() -> None:
    scores = {"epoch": 3, "perplexity": 30.5}
    against = {"step": 8, "generator_step": 2, "perplexity": 31.5, "macro_f1": 40.0}
    against["replies"] = {"a#1": "Yes ."}
    result = {
        "best": "b",
        "finished": True,
        "scores": {"mle": scores, "adversarial": against},
        "device": "cuda (a GPU)",
        "precision": {"recogniser": "fp32", "mle": "fp32", "adversarial": "bf16"},
        "samples_per_second": {"mle": 1234.56, "adversarial": 78.9},
    }
    assert train_text(result).splitlines() == [
        "best on validation        mle  adversarial",
        "at                    epoch 3       step 8",
        "perplexity               30.5         31.5",
        "macro f1                    -           40",
        "samples/s, whole run  1,234.6         78.9",
        "precision                fp32         bf16",
        "trained on cuda (a GPU)",
        "best checkpoint: b",
    ]


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64, 10**4000], ids=["-1", "2**63", "2**64", "huge"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "prepare", OWN_DIALOGUES, "{out}", "--seed"),
        (
            "human",
            "sheet",
            "--data",
            "{prepared}",
            "--out",
            "{out}",
            "--predictions",
            "A=a",
            "--seed",
        ),
        ("reproduce", "{prepared}", "{out}", "--seeds"),
    ],
    ids=["prepare", "sheet", "reproduce"],
)
def test_a_seed_that_cannot_be_kept_is_refused_before_anything_is_done(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    prepared: Path,
    arguments: tuple[object, ...],
    seed: int,
) -> None:
    out = tmp_path / "out"
    given = [str(a).format(out=out, prepared=prepared) for a in arguments]
    assert main([*given, str(seed)]) == InputError.exit_code
    assert str(2**63 - 1)[:10] in capfd.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64, pytest.param(10**5000, id="huge"), True, 1.0])
def test_a_seed_of_the_library_is_refused_likewise(tmp_path: Path, seed: Any) -> None:
    for make in (
        lambda: PrepareOptions(seed=seed),
        lambda: SheetOptions(seed=seed),
        lambda: ReproduceOptions(("EmpG",), (1, seed), TrainConfig()),
        lambda: Trainer(TrainConfig(seed=seed, out=str(tmp_path / "out"))),
        lambda: resample_texts([["a"]], [["a"]], seed=seed),
    ):
        with pytest.raises(InputError, match=r"seed is .*from 0 to 92"):
            make()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command",
    [
        "data prepare CORPUS LONG",
        "data prepare LONG OUT",
        "evaluate MODEL --data LONG",
        "evaluate MODEL --data PREPARED --save-predictions LONG",
        "evaluate LONG.safetensors --data PREPARED",
        "evaluate --predictions LONG --references LONG",
        "human sheet --data PREPARED --predictions A=LONG --out OUT",
        "human sheet --data PREPARED --predictions A=CORPUS --out LONG",
        "human scores LONG",
        "tables LONG --data PREPARED",
        "train LONG",
        "train tiny --set data=PREPARED --set out=LONG",
        "train tiny --set data=LONG --set out=OUT",
        "reproduce PREPARED LONG",
        "export MODEL LONG",
    ],
)
def test_a_name_that_no_file_can_have_is_the_users_mistake(
    command: str, prepared: Path, checkpoint: Path, tmp_path: Path, capfd: Any
) -> None:
    places = {
        "LONG": "a" * 300,
        "CORPUS": str(OWN_DIALOGUES),
        "PREPARED": str(prepared),
        "MODEL": str(checkpoint),
        "OUT": str(tmp_path / "out"),
    }
    words = command.split()
    for name, place in places.items():
        words = [word.replace(name, place) for word in words]
    done = Outcome(capfd, *words, "--json")
    assert "this is a bug" not in done.json["error"]["message"]
    assert done.code in (2, 4, 7, 9)


def test_recipes_that_ship_are_listed_and_shown(capfd: pytest.CaptureFixture[str]) -> None:
    listed = Outcome(capfd, "recipe", "list", "--json").json
    assert {name: each["data"] for name, each in listed.items()} == {
        "default": "prepared",
        "paper": "prepared",
        "tiny": "prepared-own",  # another corpus than the others'
    }
    assert "prepared-own" in Outcome(capfd, "recipe", "list").out
    for name in listed:
        shown = Outcome(capfd, "recipe", "show", name)
        assert shown.code == 0
        assert tomllib.loads(shown.out)["data"] == listed[name]["data"]
        assert "data prepare" in shown.out
    assert Outcome(capfd, "recipe", "show", "tiny", "--json").json["mle"]["clip_norm"] == 1.0
    assert Outcome(capfd, "recipe", "show", "nonsense").code == 2


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_a_recipe_without_its_data_tells_where_it_is_said_how_to_make_it(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = Outcome(capfd, "train", name)
    assert outcome.code == 2
    assert f"holds no report.json (`empgan-rt recipe show {name}` tells first" in outcome.err
    assert not [*tmp_path.iterdir()]
    head = Outcome(capfd, "recipe", "show", name).out.partition("[recogniser]")[0]
    assert "empgan-rt data prepare" in head


def test_the_data_of_the_tiny_recipe_is_what_its_comment_prepares(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Outcome(capfd, "recipe", "show", "tiny").out.splitlines()
    first = next(n for n, line in enumerate(lines) if "empgan-rt data prepare" in line)
    command = " ".join(line.strip("# \\") for line in lines[first : first + 2])
    arguments = [
        str(OWN_DIALOGUES) if "own_dialogues" in part else part for part in command.split()[1:]
    ]
    monkeypatch.chdir(tmp_path)
    assert Outcome(capfd, *arguments).code == 0
    config = load_recipe(find_recipe("tiny"))
    assert (Path(config.data) / "report.json").is_file()


def test_ctrl_c_while_the_data_is_read_is_told_too(
    capfd: pytest.CaptureFixture[str],
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PreparedData, "split", interrupted)
    out = tmp_path / "run"
    outcome = Outcome(capfd, "train", "tiny", "--set", f"data={prepared}", "--set", f"out={out}")
    assert outcome.code == 130
    assert f"stopped before the start; {out} is as it was" in outcome.err
    assert not out.exists()


def test_ctrl_c_is_told_what_was_saved(
    capfd: pytest.CaptureFixture[str],
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(trainer: Trainer, max_steps: int | None) -> None:
        raise KeyboardInterrupt

    sizes = [part for size in SMALL for part in ("--set", f"model.{size}")]
    out = tmp_path / "run"
    run = ("train", "tiny", "--set", f"data={prepared}", "--set", f"out={out}", *sizes)
    assert Outcome(capfd, *run, "--max-steps", 2).code == 0
    monkeypatch.setattr(Trainer, "run", interrupted)
    stopped = Outcome(capfd, *run, "--resume")
    assert stopped.code == 130
    assert f"stopped at step 2; all is saved in {out}" in stopped.err
    assert "--resume" in stopped.err
    early = Outcome(capfd, *run, "--set", f"out={tmp_path / 'none'}")
    assert "stopped before anything was saved" in early.err
