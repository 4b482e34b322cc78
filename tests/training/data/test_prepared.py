"""A prepared folder opened again."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from empgan_rt.config import Limits
from empgan_rt.dialogue.turns import Emotion, Turn
from empgan_rt.errors import DataError, InputError
from empgan_training.data.corpora.corpus import SPLITS
from empgan_training.data.prepare import prepare
from empgan_training.data.prepared import PreparedData, all_samples
from support.small_data import own_corpus, own_options, prepare_own


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


@pytest.mark.parametrize(
    "report",
    [
        *(b"", b"[]", b"{}", b'{"sha256": 3}', b"\xff", b"[" * 100_000),
        b'{"format": 1, "licence": "", "sha256": {"train.jsonl": 1}}',
        b'{"format": 3, "licence": "", "sha256": {}}',
        b'{"format": 1, "licence": "", "sha256": {}, "more": ' + b"9" * 5000 + b"}",
        b'{"format": 1, "licence": "", "sha256": {}, "more": ' + b"[" * 100_000 + b"}",
    ],
    ids=lambda report: report[:30].decode("ascii", "replace"),
)
def test_a_damaged_report_is_a_data_error(folder: Path, tmp_path: Path, report: bytes) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "report.json").write_bytes(report)
    with pytest.raises(DataError, match=r"report\.json"):
        PreparedData(copy, Limits())


ROW = {"id": "train-1", "utterances": ["Hi.", "Hello.", "Bye."], "emotions": [0, 0, 0]}


def sealed_again(folder: Path, copy: Path, name: str, data: bytes) -> Path:
    """Return a copy of a prepared folder in which a file was replaced, and the report knows."""
    shutil.copytree(folder, copy)
    (copy / name).write_bytes(data)
    report = json.loads((copy / "report.json").read_bytes())
    report["sha256"][name] = hashlib.sha256(data).hexdigest()
    (copy / "report.json").write_text(json.dumps(report))
    return copy


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"null", b"[]", b"3", b"\xff", b"\x00", b"[" * 100_000, b"9" * 5000),
        *(json.dumps(ROW | {name: None}).encode() for name in ROW),
        *(json.dumps({k: v for k, v in ROW.items() if k != name}).encode() for name in ROW),
        json.dumps(ROW | {"utterances": "Hi."}).encode(),
        json.dumps(ROW | {"utterances": ["Hi.", 3, "Bye."]}).encode(),
        json.dumps(ROW | {"utterances": ["Hi.", "", "Bye."]}).encode(),
        json.dumps(ROW | {"utterances": ["Hi.", "\ud800", "Bye."]}).encode(),
        json.dumps(ROW | {"utterances": ["Hi.", "a" * 20_001, "Bye."]}).encode(),
        json.dumps(ROW | {"utterances": ["Hi.", "Bye."], "emotions": [0, 0]}).encode(),
        json.dumps(ROW | {"emotions": [0, 0]}).encode(),
        json.dumps(ROW | {"emotions": [0, 0, 7]}).encode(),
        json.dumps(ROW | {"emotions": [0, 0, True]}).encode(),
        json.dumps(ROW | {"emotions": [0, 0, 0.5]}).encode(),
        json.dumps(ROW | {"more": 1}).encode().replace(b": 1}", b": " + b"[" * 100_000 + b"}"),
        json.dumps(ROW).encode() + b"\n" + json.dumps(ROW).encode(),
    ],
    ids=lambda line: line[:60].decode("ascii", "replace"),
)
def test_rows_that_are_sealed_but_no_dialogues_are_data_errors(
    folder: Path, tmp_path: Path, line: bytes
) -> None:
    copy = sealed_again(folder, tmp_path / "copy", "train.jsonl", line + b"\n")
    with pytest.raises(DataError, match=r"train\.jsonl:\d: ") as caught:
        _read_everything(copy)
    assert "Hi." not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b'{"dialogue": "nobody", "response": 1}',
        b'{"dialogue": "ID", "response": 0}',
        b'{"dialogue": "ID", "response": -1}',
        b'{"dialogue": "ID", "response": 99}',
        b'{"dialogue": "ID", "response": ' + b"9" * 30 + b"}",
        b'{"dialogue": "ID", "response": "1"}',
        b'{"dialogue": ["ID"], "response": 1}',
        b'{"dialogue": "ID"}',
        b'{"dialogue": "ID", "response": 1}\n{"dialogue": "ID", "response": 1}',
    ],
)
def test_samples_that_are_sealed_but_not_there_are_data_errors(
    folder: Path, tmp_path: Path, line: bytes, data: PreparedData
) -> None:
    first = data.split("test")[0].id.encode()
    name = "test_samples.jsonl"
    copy = sealed_again(folder, tmp_path / "copy", name, line.replace(b"ID", first) + b"\n")
    with pytest.raises(DataError, match=r"test_samples\.jsonl:\d: "):
        _read_everything(copy)


@pytest.mark.parametrize("name", ["train.jsonl", "test_samples.jsonl"])
def test_files_that_are_sealed_but_empty_are_data_errors(
    folder: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError, match="is empty"):
        _read_everything(sealed_again(folder, tmp_path / "copy", name, b""))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("emotion_lexicon.tsv", b"\xff\tvader\n"),
        ("emotion_lexicon.tsv", b"glad\n"),
        ("emotion_vocabulary.txt", b"nothing\n"),
        ("tokenizer.json", b"{}"),
    ],
)
def test_vocabularies_that_are_sealed_but_none_are_data_errors(
    folder: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    copy = sealed_again(folder, tmp_path / "copy", name, content)
    with pytest.raises(DataError, match="vocabularies: "):
        PreparedData(copy, Limits())


@pytest.mark.parametrize("name", ["a" * 300, "a\x00b"])
def test_a_path_that_cannot_be_is_an_input_error(name: str) -> None:
    with pytest.raises(InputError, match=r"report\.json"):
        PreparedData(Path(name), Limits())


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
        prepare(own_corpus(tmp_path / "corpus", 20), copy, own_options())
    assert not aside.exists()
