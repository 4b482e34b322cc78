"""Both forms of the corpus, and what happens to lines and files that are damaged."""

from __future__ import annotations

import gzip
import json
import logging
import zipfile
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.errors import DataError, InputError
from empgan_training.data.corpora.corpus import SPLITS, Corpus, LabelledDialogue
from empgan_training.data.corpora.reading import read_corpus
from support.small_data import own_dialogues, write_jsonl

ROWS = own_dialogues()[:12]
PARTS = {"train": ROWS[:7], "validation": ROWS[7:9], "test": ROWS[9:]}


def official(rows: list[dict[str, Any]]) -> tuple[str, str]:
    """Return the text and the emotion file of the official distribution."""
    texts = "".join(" ".join(f"{turn} __eou__" for turn in row["dialogue"]) + "\n" for row in rows)
    labels = "".join(" ".join(map(str, row["emotion"])) + " \n" for row in rows)
    return texts, labels


def write_official(folder: Path, suffix: str, rows: list[dict[str, Any]]) -> None:
    """Write `dialogues_<suffix>.txt` and its emotion and act files."""
    folder.mkdir(parents=True, exist_ok=True)
    texts, labels = official(rows)
    emotion = "emotion" if suffix == "text" else f"emotion_{suffix}"
    (folder / f"dialogues_{suffix}.txt").write_text(texts, "utf-8")
    (folder / f"dialogues_{emotion}.txt").write_text(labels, "utf-8")
    (folder / "dialogues_act.txt").write_text(labels, "utf-8")


def labelled(split: str, rows: list[dict[str, Any]]) -> list[LabelledDialogue]:
    return [
        LabelledDialogue(f"{split}-{i:05d}", tuple(row["dialogue"]), tuple(row["emotion"]))
        for i, row in enumerate(rows)
    ]


def assert_is_the_three_parts(corpus: Corpus) -> None:
    assert corpus.bad_lines == []
    assert corpus.total == 12
    assert corpus.splits == {split: labelled(split, PARTS[split]) for split in SPLITS}


def test_json_lines(tmp_path: Path) -> None:
    for split, rows in PARTS.items():
        write_jsonl(tmp_path / f"{split}.jsonl", rows)
    assert_is_the_three_parts(read_corpus(tmp_path))


def test_gzipped_json_lines(tmp_path: Path) -> None:
    for split, rows in PARTS.items():
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        (tmp_path / f"{split}.jsonl.gz").write_bytes(gzip.compress(data))
    assert_is_the_three_parts(read_corpus(tmp_path))


def test_official_folders(tmp_path: Path) -> None:
    for split, rows in PARTS.items():
        write_official(tmp_path / split, split, rows)
    assert_is_the_three_parts(read_corpus(tmp_path))


@pytest.mark.parametrize("inner", ["", "{split}/", "a/b/"])
def test_official_zips(tmp_path: Path, inner: str) -> None:
    for split, rows in PARTS.items():
        texts, labels = official(rows)
        with zipfile.ZipFile(tmp_path / f"{split}.zip", "w") as archive:
            prefix = inner.format(split=split)
            archive.writestr(f"{prefix}dialogues_{split}.txt", texts)
            archive.writestr(f"{prefix}dialogues_emotion_{split}.txt", labels)
            archive.writestr("__MACOSX/._dialogues.txt", "")
    assert_is_the_three_parts(read_corpus(tmp_path))


def test_one_official_file_without_splits(tmp_path: Path) -> None:
    write_official(tmp_path, "text", ROWS)
    corpus = read_corpus(tmp_path)
    assert corpus.splits == {"all": labelled("all", ROWS)}


def test_utterances_may_hold_odd_line_breaks(tmp_path: Path) -> None:
    row = {"dialogue": ["Well\u2028then.", "Oh\x85yes.", "Good."], "emotion": [0, 0, 4]}
    write_official(tmp_path / "train", "train", [row])
    (dialogue,) = read_corpus(tmp_path).splits["train"]
    assert dialogue.utterances == tuple(row["dialogue"])


BAD = [
    "no json",
    '{"dialogue": ["a."]}',
    "[]",
    '{"dialogue": "a.", "emotion": [0]}',
    '{"dialogue": [], "emotion": []}',
    '{"dialogue": ["a.", "b."], "emotion": [0]}',
    '{"dialogue": ["a.", " "], "emotion": [0, 0]}',
    '{"dialogue": ["a.", 3], "emotion": [0, 0]}',
    '{"dialogue": ["a.", "\\u200b\\u0007"], "emotion": [0, 0]}',
    '{"dialogue": ["a.", "b \\ud800"], "emotion": [0, 0]}',
    '{"dialogue": ["a.", "b."], "emotion": [0, 7]}',
    '{"dialogue": ["a.", "b."], "emotion": [0, true]}',
    '{"dialogue": ["a.", "b."], "emotion": [0, 1.0]}',
    "[" * 100_000,
    '{"dialogue": ["a."], "emotion": [0], "more": ' + "[" * 100_000 + "}",
    '{"dialogue": ["a."], "emotion": [' + "9" * 5000 + "]}",
    '{"dialogue": ["' + "a" * 2**20 + '."], "emotion": [0]}',
    '{"dialogue": null, "emotion": null}',
    "\x00",
]


@pytest.mark.parametrize("line", BAD, ids=lambda line: line[:40])
def test_one_bad_line_in_a_thousand_is_left_out_with_its_place(
    tmp_path: Path, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [json.dumps({"dialogue": [f"Line {i}."], "emotion": [0]}) for i in range(999)]
    rows.insert(41, line)
    (tmp_path / "train.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    with caplog.at_level(logging.INFO):
        corpus = read_corpus(tmp_path)
    assert len(corpus.bad_lines) == 1
    assert corpus.bad_lines[0].startswith("train.jsonl:42: ")
    assert "train.jsonl:42" in caplog.text
    assert corpus.total == 1000
    assert [d.utterances for d in corpus.splits["train"]] == [(f"Line {i}.",) for i in range(999)]
    assert corpus.splits["train"][41].id == "train-00042"  # ids keep counting past a bad line


def test_bytes_that_are_no_utf_8_are_a_bad_line(tmp_path: Path) -> None:
    good = b"".join(b'{"dialogue": ["%d."], "emotion": [0]}\n' % i for i in range(999))
    (tmp_path / "test.jsonl").write_bytes(good + b'{"dialogue": ["\xff\xfe"], "emotion": [0]}\n')
    assert read_corpus(tmp_path).bad_lines[0].startswith("test.jsonl:1000: ")


def test_a_byte_order_mark_is_no_bad_line(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_bytes(b'\xef\xbb\xbf{"dialogue": ["a."], "emotion": [0]}\n')
    assert read_corpus(tmp_path).bad_lines == []


def test_a_corpus_of_nothing_but_bad_lines_is_not_read_to_its_end(tmp_path: Path) -> None:
    """Four million bad lines fit into a gzip of a few KB."""
    (tmp_path / "train.jsonl.gz").write_bytes(gzip.compress(b"x\n" * 2**22, 9))
    with pytest.raises(DataError, match=r"10,001 of 10,001 lines .* train\.jsonl\.gz:1:"):
        read_corpus(tmp_path)


@pytest.mark.parametrize("label", ["9" * 5000, "\xb2", "0x1", "-1", "0 " * 2**20])
def test_labels_that_are_no_numbers_are_bad_lines(tmp_path: Path, label: str) -> None:
    rows = [{"dialogue": [f"Line {i}."], "emotion": [0]} for i in range(1000)]
    write_official(tmp_path, "text", rows)
    path = tmp_path / "dialogues_emotion.txt"
    path.write_text(path.read_text().replace("0", label, 1), "latin-1")
    (line,) = read_corpus(tmp_path).bad_lines
    assert line.startswith("dialogues_text.txt:1: ")


def test_more_than_one_in_a_thousand_stops_and_names_the_first(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", ROWS)
    secret = {"dialogue": ["My secret.", "No."], "emotion": [0]}
    write_jsonl(tmp_path / "test.jsonl", [ROWS[0], secret, {"dialogue": ["a"], "emotion": [9]}])
    with pytest.raises(DataError) as caught:
        read_corpus(tmp_path)
    message = str(caught.value)
    assert "2 of 15 lines are malformed, at most 0 of so many are accepted" in message
    assert "test.jsonl:2: 2 utterances but 1 emotions; test.jsonl:3: an emotion" in message
    assert "secret" not in message


def test_bad_official_lines_are_named_by_file_and_number(tmp_path: Path) -> None:
    write_official(tmp_path / "train", "train", ROWS)
    labels = tmp_path / "train" / "dialogues_emotion_train.txt"
    lines = labels.read_text().splitlines()
    lines[2] = "0 x 0"
    lines[4] = "0"
    labels.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError) as caught:
        read_corpus(tmp_path)
    assert "train/dialogues_train.txt:3: " in str(caught.value)
    assert "train/dialogues_train.txt:5: 5 utterances but 1 emotions" in str(caught.value)


def test_unequal_numbers_of_lines_stop(tmp_path: Path) -> None:
    write_official(tmp_path / "train", "train", ROWS)
    path = tmp_path / "train" / "dialogues_emotion_train.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DataError, match="has 12 lines, its emotion file 11"):
        read_corpus(tmp_path)


def test_a_folder_without_a_corpus_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no corpus below"):
        read_corpus(tmp_path)
    with pytest.raises(InputError, match="no corpus below"):
        read_corpus(tmp_path / "absent")


def _cut_gzip(folder: Path) -> None:
    (folder / "train.jsonl.gz").write_bytes(gzip.compress(json.dumps(ROWS[0]).encode())[:-12])


def _no_gzip(folder: Path) -> None:
    (folder / "train.jsonl.gz").write_bytes(b"plain")


def _no_zip(folder: Path) -> None:
    (folder / "train.zip").write_bytes(b"plain")


def _zip_without_emotions(folder: Path) -> None:
    with zipfile.ZipFile(folder / "train.zip", "w") as archive:
        archive.writestr("dialogues_train.txt", official(ROWS)[0])


def _no_emotions(folder: Path) -> None:
    write_official(folder / "train", "train", ROWS)
    (folder / "train" / "dialogues_emotion_train.txt").unlink()


def _no_emotions_of_all(folder: Path) -> None:
    write_official(folder, "text", ROWS)
    (folder / "dialogues_emotion.txt").unlink()


@pytest.mark.parametrize(
    "damage",
    [_cut_gzip, _no_gzip, _no_zip, _zip_without_emotions, _no_emotions, _no_emotions_of_all],
)
def test_a_damaged_or_missing_file_is_a_data_error(tmp_path: Path, damage: Any) -> None:
    damage(tmp_path)
    with pytest.raises(DataError):
        read_corpus(tmp_path)
