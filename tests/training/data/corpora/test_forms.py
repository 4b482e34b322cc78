"""Every form of a corpus says the same dialogues, and what is wrong is said with its place."""

from __future__ import annotations

import gzip
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.dialogue.turns import Emotion
from empgan_rt.errors import DataError, DependencyError, InputError
from empgan_training.data.corpora.corpus import Corpus
from empgan_training.data.corpora.emotions import LABELS, NAMES, label_of
from empgan_training.data.corpora.reading import read_corpus
from support.corpora import (
    CONTEXTS,
    JSON_FORMS,
    LABEL_OF_CONTEXT,
    csv_of,
    splits,
    write_convokit,
    write_csv,
    write_daily,
    write_empathetic,
    write_json,
    write_official,
)
from support.small_data import write_jsonl
from support.source_tree import ROOT

PAGE = ROOT / "docs" / "data.md"
WITHOUT_LABELS = ("parlai-saved", "plain")


def texts(corpus: Corpus) -> dict[str, list[list[str]]]:
    return {name: [[*d.utterances] for d in part] for name, part in corpus.splits.items()}


def labels(corpus: Corpus) -> dict[str, list[list[int | None]]]:
    return {name: [[*d.emotions] for d in part] for name, part in corpus.splits.items()}


def assert_is_ours(corpus: Corpus, *, labelled: bool = True) -> None:
    found = splits()
    assert corpus.bad_lines == []
    assert texts(corpus) == {
        name: [row["dialogue"] for row in rows] for name, rows in found.items()
    }
    wanted = {name: [row["emotion"] for row in rows] for name, rows in found.items()}
    if not labelled:
        wanted = {name: [[None] * len(row) for row in rows] for name, rows in wanted.items()}
    assert labels(corpus) == wanted


@pytest.mark.parametrize("ending", [".jsonl", ".ndjson", ".json"])
@pytest.mark.parametrize("form", JSON_FORMS)
def test_json_lines(tmp_path: Path, form: str, ending: str) -> None:
    corpus = read_corpus(write_json(tmp_path, form, ending))
    assert_is_ours(corpus, labelled=form not in WITHOUT_LABELS)
    daily = form in ("daily", "hub", "hub-others", "parlai-daily")
    assert corpus.known == ("dailydialog" if daily else "")


def test_json_arrays(tmp_path: Path) -> None:
    for name, rows in splits().items():
        (tmp_path / f"{name}.json").write_text(json.dumps(rows, indent=1), "utf-8")
    assert_is_ours(read_corpus(tmp_path))


def test_convokit(tmp_path: Path) -> None:
    corpus = read_corpus(write_convokit(tmp_path / "split", with_splits=True))
    assert_is_ours(corpus)
    whole = read_corpus(write_convokit(tmp_path / "whole"))
    assert texts(whole) == {"all": [row for part in texts(corpus).values() for row in part]}
    for folder in (tmp_path / "split", tmp_path / "whole"):
        path = folder / "utterances.jsonl"
        lines = path.read_text("utf-8").splitlines(keepends=True)
        path.write_text("".join(reversed(lines)), "utf-8")  # who replies to whom decides
        again = read_corpus(folder)
        found = {name: sorted(part) for name, part in texts(again).items()}
        wanted = texts(corpus if "all" not in again.splits else whole)
        assert found == {name: sorted(part) for name, part in wanted.items()}


def test_the_csv_of_empatheticdialogues(tmp_path: Path) -> None:
    corpus = read_corpus(write_csv(tmp_path))
    found = splits(60)
    assert corpus.known == "empatheticdialogues"
    assert texts(corpus) == {
        name: [row["dialogue"] for row in rows] for name, rows in found.items()
    }
    assert corpus.texts.commas > 0
    for part in corpus.splits.values():
        for number, dialogue in enumerate(part):
            gold = LABEL_OF_CONTEXT[CONTEXTS[number % len(CONTEXTS)]]
            assert {*dialogue.emotions[::2]} == {gold}
            assert {*dialogue.emotions[1::2]} <= {0}


def test_quotes_of_the_csv_need_no_end(tmp_path: Path) -> None:
    rows = [{"dialogue": ['He said "no.', "Why?", "So it's", '" he said_comma_ "']}]
    (tmp_path / "train.csv").write_text(csv_of(rows), "utf-8")
    (dialogue,) = read_corpus(tmp_path).splits["train"]
    assert dialogue.utterances == ('He said "no.', "Why?", "So it's", '" he said, "')


def test_empathetic_json_lines(tmp_path: Path) -> None:
    corpus = read_corpus(write_empathetic(tmp_path))
    assert corpus.known == "empatheticdialogues"
    gold = labels(corpus)["train"]
    turns = labels(read_corpus(tmp_path, "turn"))["train"]
    assert all(label == 0 for row in (*gold, *turns) for label in row[1::2])
    assert all(label == 4 for row in turns for label in row[::2])
    assert {label for row in gold for label in row[::2]} == {1, 2, 3, 4, 5, 6}


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    for name, rows in splits().items():
        table = arrow.Table.from_pylist([JSON_FORMS["hub"](row) for row in rows])
        file = "train-00000-of-00001" if name == "train" else name
        parquet.write_table(table, tmp_path / f"{file}.parquet")
    assert_is_ours(read_corpus(tmp_path))
    (tmp_path / "test.parquet").write_bytes(b"PAR1 no more PAR1")
    with pytest.raises(DataError, match=r"test\.parquet cannot be read"):
        read_corpus(tmp_path)
    parquet.write_table(arrow.table({"words": [["a"]]}), tmp_path / "test.parquet")
    with pytest.raises(DataError, match="columns 'words', wanted dialogue or dialog"):
        read_corpus(tmp_path)


def test_parquet_without_its_extra_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(DependencyError, match=r"empgan-rt\[parquet\]"):
        read_corpus(tmp_path)


# -- the page ----------------------------------------------------------------------------------

EXAMPLE = re.compile(r"^`([\w./]+)`[^\n]*\n\n```(?:json|csv|text)\n(.*?)^```$", re.M | re.S)


def test_the_examples_of_the_page_are_read_as_it_says(tmp_path: Path) -> None:
    found = EXAMPLE.findall(PAGE.read_text("utf-8"))
    assert len(found) == 11
    said = ["I failed my exam.", "Oh no, what happened?", "I did not study enough."]
    folders: list[Path] = []
    for number, (name, text) in enumerate(found):
        if "emotion_train" not in name:
            folders.append(tmp_path / str(number))
        path = folders[-1] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    seen = []
    for folder in folders:
        (dialogue,) = read_corpus(folder).dialogues
        bare = [text.replace(" .", ".").replace(" ,", ",").replace(" ?", "?") for text in said]
        spoken = [re.sub(r" ([.,?])", r"\1", text) for text in dialogue.utterances]
        assert spoken == bare
        assert dialogue.emotions in ((5, 0, 5), (None, None, None))
        seen.append(dialogue.labelled)
    assert seen.count(False) == 2


def test_the_page_names_every_label() -> None:
    rows = re.findall(r"^\| (\d) \| (\w+) \| (.+) \|$", PAGE.read_text("utf-8"), re.M)
    assert [(int(number), label) for number, label, _ in rows] == [*enumerate(LABELS)]
    for _, label, names in rows:
        assert {label, *names.split(", ")} == {*NAMES[label]}


def test_labels_have_one_table() -> None:
    assert tuple(e.name.lower() for e in Emotion) == LABELS == tuple(NAMES)
    every = [name for names in NAMES.values() for name in names]
    assert len(every) == len(set(every))
    assert [label_of(name) for name in ("Joy", "no_emotion", " SAD ", "3", 6, None, "")] == [
        *(4, 0, 5, 3, 6, None, None)
    ]
    for wrong in (7, -1, True, 2.0, "7", "hungry", [1], 10**5000):
        with pytest.raises(ValueError, match="an emotion is"):
            label_of(wrong)


# -- what people's files have ------------------------------------------------------------------


def test_blank_lines_and_marks_of_byte_order_mean_nothing(tmp_path: Path) -> None:
    write_official(tmp_path / "o")
    write_daily(tmp_path / "j")
    write_csv(tmp_path / "c")
    write_convokit(tmp_path / "k")
    for folder in "ojck":
        wanted = read_corpus(tmp_path / folder)
        for path in (tmp_path / folder).rglob("*"):
            if path.suffix in (".jsonl", ".csv", ".txt"):
                data = path.read_bytes().replace(b"\n", b"\r\n")
                path.write_bytes(b"\xef\xbb\xbf" + data + b"\r\n\n")
        again = read_corpus(tmp_path / folder)
        assert again.splits == wanted.splits
        assert again.bad_lines == []


def test_a_blank_line_in_the_middle_is_no_bad_one(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "own.jsonl", splits()["train"])
    path.write_text(path.read_text("utf-8").replace("\n", "\n\n \n"), "utf-8")
    corpus = read_corpus(path)
    assert corpus.bad_lines == []
    assert corpus.total == 24


def test_a_file_of_nothing_but_blank_lines_ends(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl.gz").write_bytes(gzip.compress(b"\n" * 2**24, 9))
    with pytest.raises(DataError, match=r"train\.jsonl\.gz:100001: more than 100,000 lines"):
        read_corpus(tmp_path)


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be", "utf-32"])
def test_utf_16_is_refused_by_name(tmp_path: Path, codec: str) -> None:
    text = json.dumps(splits()["train"][0])
    mark = b"\xfe\xff" if codec == "utf-16-be" else b""
    (tmp_path / "train.jsonl").write_bytes(mark + text.encode(codec))
    with pytest.raises(DataError, match=r"train\.jsonl is in UTF-16 or UTF-32"):
        read_corpus(tmp_path)


def test_entities_and_commas_are_decoded_and_other_traces_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        {"dialogue": ["A: Tom &amp; I_comma_ you know", "B: It&#39;s <b>fine</b> &c."]}
        for _ in range(4)
    ]
    path = write_jsonl(tmp_path / "own.jsonl", rows)
    with caplog.at_level(logging.WARNING):
        corpus = read_corpus(path)
    assert corpus.dialogues[0].utterances == ("A: Tom & I, you know", "B: It's <b>fine</b> &c.")
    told = " ".join(corpus.notes())
    for sentence in ("decoded in 8 turns", "a comma in 4", "4 turns hold markup", "8 turns begin"):
        assert sentence in told
        assert sentence in caplog.text


def test_labels_that_count_from_one_are_warned_of(tmp_path: Path) -> None:
    rows = splits()["train"]
    shifted = [{**row, "emotion": [1 + label for label in row["emotion"]]} for row in rows]
    fewer = [row for row in shifted if max(row["emotion"]) < 7]
    (note,) = read_corpus(write_jsonl(tmp_path / "a.jsonl", fewer)).notes()
    assert "is 0, neutral" in note
    mostly = [{**row, "emotion": [1] * len(row["emotion"])} for row in rows[1:]] + rows[:1]
    (note,) = read_corpus(write_jsonl(tmp_path / "b.jsonl", mostly)).notes()
    assert "are 1, anger" in note
    assert read_corpus(write_jsonl(tmp_path / "c.jsonl", rows)).notes() == []


# -- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"text": "a", "label": 1}', "keys 'text', 'label', wanted dialogue or dialog or"),
        ("{}", r"keys \(none\), wanted dialogue"),
        ('{"dialogue": ["a"', "no JSON object: Input data was truncated"),
        ("[1]", "no JSON object: Expected `object`, got `array`"),
        ('{"dialogue": ["a"], "emotion": ["hungry"]}', "an emotion is str, no integer from 0"),
        ('{"dialogue": ["a"], "emotion": [7]}', "an emotion is 7, no integer from 0 to 6"),
        ('{"dialogue": ["a", "b"], "emotion": [0]}', "2 utterances but 1 emotions"),
        ('{"dialogue": "a", "emotion": [0]}', "wanted a list of utterances"),
        ('{"dialogue": ["a"]}', "no label of any turn, other lines have some"),
        ('{"dialogue": [{"words": "a"}], "emotion": [0]}', "an utterance is empty or no text"),
    ],
)
def test_the_line_the_keys_seen_and_those_wanted_are_named(
    tmp_path: Path, line: str, fault: str
) -> None:
    path = write_jsonl(tmp_path / "own.jsonl", splits()["train"])
    path.write_text(path.read_text("utf-8") + f"{line}\n", "utf-8")
    with pytest.raises(DataError, match=rf"own\.jsonl:25: {fault}"):
        read_corpus(path)


@pytest.mark.parametrize(
    ("lines", "bad", "good"),
    [(61, 1, True), (61, 2, False), (49, 1, False), (500, 10, True), (900, 11, False)],
)
def test_a_bad_line_in_fifty_is_left_out_and_told_of_once(
    tmp_path: Path, lines: int, bad: int, good: bool, caplog: pytest.LogCaptureFixture
) -> None:
    rows: list[Any] = [{"dialogue": [f"Line {i}."], "emotion": [0]} for i in range(lines - bad)]
    path = write_jsonl(tmp_path / "own.jsonl", [*rows, *[{"words": 1}] * bad])
    with caplog.at_level(logging.INFO):
        if good:
            assert len(read_corpus(path).bad_lines) == bad
            assert len(caplog.records) == 1
            assert caplog.records[0].levelno == logging.INFO  # nothing under -q
        else:
            with pytest.raises(DataError, match=f"{bad} of {lines} lines are malformed"):
                read_corpus(path)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda s: s.replace("utterance_idx", "turn"), r"train\.csv:1: columns 'conv_id', 'turn'"),
        (lambda s: "", r"train\.csv:1: columns '', wanted conv_id, utterance_idx"),
        (lambda s: s.replace(",2,", ",9,", 1), r"train\.csv:3: utterance_idx is not 2"),
        (lambda s: re.sub(r",A day\..*", "", s, count=1), r"train\.csv:2: 3 fields, wanted 8"),
        (lambda s: s.replace("joyful", "hungry"), r"an emotion is str"),
    ],
)
def test_a_csv_that_is_none(tmp_path: Path, change: Callable[[str], str], fault: str) -> None:
    (tmp_path / "train.csv").write_text(change(csv_of(splits()["train"][:20])), "utf-8")
    with pytest.raises(DataError, match=fault):
        read_corpus(tmp_path)


def test_a_csv_has_no_labels_of_turns(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no label of each turn"):
        read_corpus(write_csv(tmp_path), "turn")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"text": None}, "no utterance: Expected `str`"),
        ({"conversation_id": None}, "no conversation_id"),
        ({"reply-to": "nobody"}, "a reply to an utterance that is not in it"),
        ({"reply-to": None}, "in which an utterance has two replies"),
    ],
)
def test_a_convokit_line_that_is_none(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    path = write_convokit(tmp_path) / "utterances.jsonl"
    lines = path.read_text("utf-8").splitlines()[:20]
    lines[1] = json.dumps(json.loads(lines[1]) | change)
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(DataError, match=rf"utterances\.jsonl:\d+: .*{fault}"):
        read_corpus(tmp_path)


def test_convokit_splits_are_all_or_none(tmp_path: Path) -> None:
    write_convokit(tmp_path, with_splits=True)
    path = tmp_path / "conversations.json"
    found = json.loads(path.read_text("utf-8"))
    (name, *_) = found
    path.write_text(json.dumps({**found, name: {"meta": {}}}), "utf-8")
    with pytest.raises(DataError, match=r"utterances\.jsonl:1: .*no split"):
        read_corpus(tmp_path)
    path.write_text(json.dumps({**found, name: {"meta": {"split": "later"}}}), "utf-8")
    with pytest.raises(DataError, match=r"conversations\.json: the split"):
        read_corpus(tmp_path)


def test_a_file_of_another_kind_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("Hello.\n")
    with pytest.raises(InputError, match="no corpus below"):
        read_corpus(tmp_path / "corpus.txt")
