"""A prepared folder opened again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from empgan_rt.config import Limits
from empgan_rt.dialogue import Emotion, Turn
from empgan_rt.errors import DataError, InputError
from empgan_training.data.dailydialog import SPLITS
from empgan_training.data.prepare import PrepareOptions, prepare
from empgan_training.data.prepared import PreparedData, all_samples
from support.small_data import own_corpus, prepare_own


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_own(tmp_path_factory.mktemp("prepared"), 60)


@pytest.fixture(scope="module")
def data(folder: Path) -> PreparedData:
    return PreparedData(folder, Limits())


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_holds_every_dialogue_as_ids_with_gold_labels(
    data: PreparedData, split: str
) -> None:
    rows = [json.loads(line) for line in (data.folder / f"{split}.jsonl").read_bytes().splitlines()]
    dialogues = data.split(split)
    assert len(dialogues) == len(rows) == data.report["splits"][split]["dialogues"]
    for dialogue, row in zip(dialogues, rows, strict=True):
        assert dialogue.id == row["id"]
        assert list(dialogue.texts) == row["utterances"]
        assert [turn.label - 1 for turn in dialogue.turns] == row["emotions"]
        again = [
            data.featurizer.turn_features(Turn(text, Emotion(label + 1)))
            for text, label in zip(row["utterances"], row["emotions"], strict=True)
        ]
        assert list(dialogue.turns) == again


def test_samples_are_all_triples(data: PreparedData) -> None:
    test = data.split("test")
    samples = all_samples(test)
    expected = [f"{d.id}#{r}" for d in test for r in range(1, len(d.turns) - 1)]
    assert [sample.id for sample in samples] == expected
    assert len(samples) == data.report["splits"]["test"]["samples"]


def test_table_samples_are_those_that_were_drawn(data: PreparedData) -> None:
    test = data.split("test")
    drawn = data.table_samples(test)
    assert len(drawn) == data.report["table_samples"] == len(test)
    assert {sample.id for sample in drawn} <= {sample.id for sample in all_samples(test)}


def test_limits_cut_what_is_read(folder: Path) -> None:
    data = PreparedData(folder, Limits(max_tokens=3))
    turns = [turn for dialogue in data.split("train") for turn in dialogue.turns]
    assert max(len(turn.token_ids) for turn in turns) == 3
    assert any(turn.tokens_dropped for turn in turns)


def test_an_unknown_split_is_an_input_error(data: PreparedData) -> None:
    with pytest.raises(InputError, match="train, validation, test"):
        data.split("dev")


def test_a_folder_that_is_none_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"report\.json"):
        PreparedData(tmp_path, Limits())


@pytest.mark.parametrize(
    "name", ["train.jsonl", "test_samples.jsonl", "tokenizer.json", "emotion_lexicon.tsv"]
)
@pytest.mark.parametrize("damage", ["altered", "missing"])
def test_a_changed_file_is_a_data_error(
    folder: Path, tmp_path: Path, name: str, damage: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    if damage == "missing":
        (copy / name).unlink()
    else:
        data = bytearray((copy / name).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / name).write_bytes(data)
    with pytest.raises(DataError, match=name):
        _read_everything(copy)


@pytest.mark.parametrize("report", [b"", b"[]", b"{}", b'{"sha256": 3}', b"\xff"])
def test_a_damaged_report_is_a_data_error(folder: Path, tmp_path: Path, report: bytes) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "report.json").write_bytes(report)
    with pytest.raises(DataError, match=r"report\.json"):
        PreparedData(copy, Limits())


def _read_everything(folder: Path) -> None:
    data = PreparedData(folder, Limits())
    data.split("train")
    data.table_samples(data.split("test"))


def test_a_folder_that_a_killed_replacement_left_aside_opens(folder: Path, tmp_path: Path) -> None:
    """Whoever replaces it by force still finds what it replaces."""
    copy = Path(shutil.copytree(folder, tmp_path / "prepared"))
    aside = copy.rename(tmp_path / ".prepared.0123abcd.old")
    assert PreparedData(copy, Limits()).report["sha256"]
    copy.rename(aside)
    with pytest.raises(InputError, match="exists"):
        prepare(own_corpus(tmp_path / "corpus", 20), copy, PrepareOptions())
    assert not aside.exists()
