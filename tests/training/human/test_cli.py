"""`human sheet` and `human scores`: options, output, and the way from one to the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from empgan_rt.errors import InputError
from empgan_training.human.cli import human
from support.human_sheets import fill, write_predictions
from support.small_data import prepare_own


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_own(tmp_path_factory.mktemp("human"), 60)


@pytest.fixture(scope="module")
def files(prepared: Path) -> dict[str, Path]:
    return write_predictions(prepared, prepared.parent, {"HRED": "ok .", "EmpG": "i am glad ."})


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    human.main([str(argument) for argument in arguments], standalone_mode=False)
    return capfd.readouterr().out


def test_sheet_then_scores(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, prepared: Path, files: dict[str, Path]
) -> None:
    out = tmp_path / "out"
    sheet = ["sheet", "--data", prepared, "--out", out, "--contexts", 3, "--raters", 2]
    sheet += ["--predictions", f"HRED={files['HRED']}", "--predictions", f"EmpG={files['EmpG']}"]
    drawn = json.loads(run(capfd, *sheet, "--json"))
    assert drawn == {
        "contexts": 3,
        "systems": ["HRED", "EmpG"],
        "rows": 6,
        "sheets": ["rater-1.csv", "rater-2.csv"],
        "seed": 1,
        "out": str(out),
    }
    text = run(capfd, *sheet, "--seed", 4, "--force")
    assert "3 contexts, 2 systems, 6 rows a sheet, seed 4" in text
    for name in drawn["sheets"]:
        fill(out, name, lambda reply, criterion: "2" if reply["system"] == "EmpG" else "0")
    scores = json.loads(run(capfd, "scores", out, "--json"))
    assert scores["systems"]["EmpG"]["empathy"] == {
        "mean": 2.0,
        "stdev": 0.0,
        "stdev_between_raters": 0.0,
        "n": 6,
        "missing": 0,
    }
    assert scores["alpha"]["content"]["value"] == 1.0
    text = run(capfd, "scores", out)
    assert text.count("Krippendorff's alpha: 1.000 (6 replies rated twice or more)") == 2
    with pytest.raises(InputError, match="were changed"):
        run(capfd, *sheet, "--force")


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        (["HRED"], "give NAME=FILE"),
        (["=a.jsonl"], "give NAME=FILE"),
        (["HRED="], "give NAME=FILE"),
        (["HRED=a.jsonl", "HRED=b.jsonl"], "two files for 'HRED'"),
        (["HRED=none.jsonl"], "none.jsonl cannot be read"),
    ],
)
def test_predictions_are_checked(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    prepared: Path,
    predictions: list[str],
    message: str,
) -> None:
    given = [part for text in predictions for part in ("--predictions", text)]
    with pytest.raises(InputError, match=message):
        run(capfd, "sheet", "--data", prepared, "--out", tmp_path / "out", *given)
    assert not (tmp_path / "out").exists()
