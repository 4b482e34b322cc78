"""Several corpora in one prepared folder: names, weights, licences, responses, reports."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.config import Limits
from empgan_rt.errors import DataError, InputError
from empgan_rt.graph_spec import EOS
from empgan_training.data.batch import collate
from empgan_training.data.corpora.corpus import SPLITS
from empgan_training.data.mixture import epoch_of
from empgan_training.data.prepare import prepare
from empgan_training.data.prepared import PreparedData, all_samples
from empgan_training.data.protocol import PrepareOptions, duplicate_key
from empgan_training.data.source_options import parse_sources
from empgan_training.data.sources import Source
from support.corpora import LABEL_OF_CONTEXT, splits, write_daily, write_empathetic
from support.small_data import write_jsonl

OPTIONS = PrepareOptions(test_dialogues=4)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    daily, empathetic = write_daily(folder / "d"), write_empathetic(folder / "e")
    sources = [Source(daily), Source(empathetic, "people", weight=2.5)]
    prepare(daily, folder / "alone", OPTIONS)
    prepare(sources, folder / "both", OPTIONS)
    return folder


@pytest.fixture(scope="module")
def both(folder: Path) -> PreparedData:
    return PreparedData(folder / "both", Limits())


def test_one_plain_corpus_is_of_format_1_and_has_no_list_of_sources(folder: Path) -> None:
    report = json.loads((folder / "alone" / "report.json").read_bytes())
    assert report["format"] == 1
    assert "sources" not in report
    assert not (folder / "alone" / "sources.json").exists()
    assert set(rows(folder / "alone" / "train.jsonl")[0]) == {"id", "utterances", "emotions"}


def test_the_first_source_is_as_it_is_alone(folder: Path) -> None:
    """Splits and table samples of a corpus do not depend on those after it."""
    for split in SPLITS:
        found = rows(folder / "both" / f"{split}.jsonl")
        mine = [row for row in found if row["source"] == "dailydialog"]
        wanted = rows(folder / "alone" / f"{split}.jsonl")
        assert [row["utterances"] for row in mine] == [row["utterances"] for row in wanted]
        assert [row["id"] for row in mine] == [f"dailydialog/{row['id']}" for row in wanted]
        assert found[: len(mine)] == mine
        assert {row["source"] for row in found[len(mine) :]} == {"people"}
    drawn = rows(folder / "both" / "test_samples.jsonl")
    alone = rows(folder / "alone" / "test_samples.jsonl")
    assert len(drawn) == 2 * len(alone) == 8
    assert drawn[:4] == [{**row, "dialogue": f"dailydialog/{row['dialogue']}"} for row in alone]


def test_splits_and_table_samples_can_be_had_of_one_source(both: PreparedData) -> None:
    for split in SPLITS:
        parts = [both.split(split, name) for name in ("dailydialog", "people")]
        assert [d.id for part in parts for d in part] == [d.id for d in both.split(split)]
        assert all(parts)
    test = both.split("test", "people")
    samples = both.table_samples(test, "people")
    assert len(samples) == 4
    assert {sample.dialogue.source for sample in samples} == {"people"}
    assert len(both.table_samples(both.split("test"))) == 8
    with pytest.raises(InputError, match="dailydialog, people"):
        both.split("test", "empathetic")


def test_every_turn_of_the_listener_is_a_response_the_last_one_too(both: PreparedData) -> None:
    lengths = set()
    for dialogue in both.split("train", "people"):
        turns = len(dialogue.turns)
        lengths.add(turns)
        assert [*dialogue.responses] == [r for r in range(turns) if r % 2 == 1]
        assert len(dialogue.context) == max(dialogue.responses)
    assert lengths == {2, 3, 4, 5}
    for dialogue in both.split("train", "dailydialog"):
        assert [*dialogue.responses] == [*range(1, len(dialogue.turns) - 1)]
        assert dialogue.answered() == dialogue


def test_what_critics_are_shown_has_a_feedback(both: PreparedData) -> None:
    for dialogue in both.split("train", "people"):
        answered = dialogue.answered()
        wanted = [r for r in dialogue.responses if r + 1 < len(dialogue.turns)]
        assert [*answered.responses] == wanted if answered else wanted == []


def test_a_last_response_has_an_empty_feedback(both: PreparedData) -> None:
    dialogues = both.split("train", "people")[:8]
    batch = collate(dialogues, 60)
    samples = all_samples(dialogues)
    assert batch.samples == len(samples) == batch.counts.samples
    for row, sample in enumerate(samples):
        turns = sample.dialogue.turns
        after = turns[sample.response + 1].token_ids if sample.response + 1 < len(turns) else []
        assert [i for i in batch.feedback[row].tolist() if i] == [*after, EOS]
        assert batch.context_turns[row] == sample.response
        assert [i for i in batch.response_out[row].tolist() if i][:-1] == (
            turns[sample.response].token_ids
        )
    assert batch.utterances.shape[1] == max(max(d.responses) for d in dialogues)


def test_gold_labels_are_the_speakers_alone(folder: Path) -> None:
    for row in rows(folder / "both" / "train.jsonl"):
        if row["source"] == "people":
            assert set(row["emotions"][1::2]) == {0}
            assert set(row["emotions"][::2]) <= set(LABEL_OF_CONTEXT.values())


def test_the_labels_of_turns_can_be_read_instead(folder: Path, tmp_path: Path) -> None:
    prepare([Source(folder / "e", labels="turn")], tmp_path / "out", OPTIONS)
    for row in rows(tmp_path / "out" / "train.jsonl"):
        assert set(row["emotions"][::2]) == {4}  # hopeful
        assert set(row["emotions"][1::2]) == {0}  # questioning


def test_the_report_tells_of_each_source(folder: Path) -> None:
    report = json.loads((folder / "both" / "report.json").read_bytes())
    assert report["format"] == 2
    assert report["licence"] == "CC-BY-NC-SA-4.0"
    told = report["sources"]
    assert {name: part["licence"] for name, part in told.items()} == {
        "dailydialog": "CC-BY-NC-SA-4.0",
        "people": "CC-BY-NC-4.0",
    }
    assert told["people"]["replies"] == "listener"
    assert told["people"]["known"] == "empatheticdialogues"
    assert told["people"]["weight"] == 2.5
    for split in SPLITS:
        parts = [part["splits"][split] for part in told.values()]
        for key in ("dialogues", "turns", "samples"):
            assert report["splits"][split][key] == sum(part[key] for part in parts)
    stored = json.loads((folder / "both" / "sources.json").read_bytes())
    assert set(stored) == set(told)
    assert "sources.json" in report["sha256"]


def test_a_weight_is_how_often_a_dialogue_comes_on_average(both: PreparedData) -> None:
    train = both.split("train")
    counts: Counter[str] = Counter()
    for epoch in range(40):
        found = epoch_of(train, random.Random(epoch))
        counts.update(d.id for d in found)
        assert {d.id for d in found} == {d.id for d in train}
    people = [d.id for d in train if d.source == "people"]
    assert {counts[d.id] for d in train if d.source == "dailydialog"} == {40}
    assert {counts[i] >= 80 for i in people} == {True}
    assert sum(counts[i] for i in people) / len(people) == pytest.approx(100, abs=4)
    assert epoch_of(train, random.Random(3)) == epoch_of(train, random.Random(3))


def test_whole_weights_draw_nothing(folder: Path) -> None:
    """So a folder of one corpus is shuffled as it always was."""
    train = PreparedData(folder / "alone", Limits()).split("train")
    draw = random.Random(1)
    assert epoch_of(train, draw) == train
    assert draw.random() == random.Random(1).random()


def test_a_training_dialogue_of_one_source_is_no_test_dialogue_of_another(tmp_path: Path) -> None:
    found = splits()
    first, second = write_daily(tmp_path / "a"), tmp_path / "b"
    for name, part in splits(60).items():
        write_jsonl(second / f"{name}.jsonl", part)
    write_jsonl(second / "test.jsonl", [*splits(60)["test"], found["train"][0]])
    sources = [Source(first), Source(second, licence="MIT")]
    report = prepare(sources, tmp_path / "out", OPTIONS)
    texts = {
        split: {tuple(row["utterances"]) for row in rows(tmp_path / "out" / f"{split}.jsonl")}
        for split in SPLITS
    }
    assert not texts["train"] & texts["test"]
    assert report["sources"]["dailydialog"]["dropped"]["duplicate"] == 1
    assert report["licence"] == "CC-BY-NC-SA-4.0 AND MIT"


@pytest.mark.parametrize("damage", ["hash", "file", "unknown", "weight"])
def test_a_folder_of_several_without_its_list_is_a_data_error(
    folder: Path, tmp_path: Path, damage: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder / "both", copy)
    report = json.loads((copy / "report.json").read_bytes())
    facts = json.loads((copy / "sources.json").read_bytes())
    if damage == "unknown":
        facts["other"] = facts.pop("people")
    if damage == "weight":
        facts["people"]["weight"] = -1
    if damage == "file":
        (copy / "sources.json").unlink()
    else:
        data = json.dumps(facts).encode()
        (copy / "sources.json").write_bytes(data)
        report["sha256"]["sources.json"] = hashlib.sha256(data).hexdigest()
    if damage == "hash":
        del report["sha256"]["sources.json"]
    (copy / "report.json").write_text(json.dumps(report))
    with pytest.raises(DataError):
        PreparedData(copy, Limits()).split("train")


def test_a_corpus_of_ones_own_says_its_licence(tmp_path: Path) -> None:
    own = write_jsonl(tmp_path / "own.jsonl", splits()["train"])
    with pytest.raises(InputError, match="licence of 'own' is not known") as caught:
        prepare(own, tmp_path / "out", PrepareOptions())
    assert "--licence" in caught.value.hint
    assert not (tmp_path / "out").exists()
    for licence in ("MIT", "CC-BY-4.0 OR MIT", "my own, all rights reserved"):
        options = PrepareOptions(split=(4, 1, 1), licence=licence)
        report = prepare(own, tmp_path / "out", options, force=True)
        assert report["licence"] == report["options"]["licence"] == licence
    for licence in ("a\nb", "x" * 201, " "):
        with pytest.raises(InputError, match="licence"):
            prepare(own, tmp_path / "no", PrepareOptions(licence=licence))


def test_a_name_says_which_known_corpus_a_source_is(tmp_path: Path) -> None:
    own = write_jsonl(tmp_path / "own.jsonl", splits()["train"])
    report = prepare([Source(own, "empatheticdialogues")], tmp_path / "out", PrepareOptions())
    assert report["licence"] == "CC-BY-NC-4.0"
    assert report["sources"]["empatheticdialogues"]["replies"] == "listener"


def test_turns_without_labels_stay_so_and_are_told_of(tmp_path: Path) -> None:
    plain = [{"dialogue": row["dialogue"]} for row in splits()["train"]]
    own = write_jsonl(tmp_path / "own.jsonl", plain)
    report = prepare(own, tmp_path / "out", PrepareOptions(licence="MIT"))
    assert report["format"] == 2
    (note,) = report["notes"]
    assert "turns have no label" in note
    assert report["splits"]["train"]["labels_percent"]["unlabelled"] == 100.0
    dialogues = PreparedData(tmp_path / "out", Limits()).split("train")
    assert {turn.label for d in dialogues for turn in d.turns} == {8}
    batch = collate(dialogues, 20)
    assert batch.counts.labels == ((0,) * 7,)
    assert batch.counts.labelled == len(batch.label_at) == len(batch.response_label_at) == 0


def test_dialogues_that_are_all_too_short_are_counted(tmp_path: Path) -> None:
    pairs = [{"dialogue": row["dialogue"][:2], "emotion": [0, 0]} for row in splits()["train"]]
    own = write_jsonl(tmp_path / "own.jsonl", pairs)
    with pytest.raises(DataError, match=r"24 of 24 dialogues .* too short; 3 turns are needed"):
        prepare(own, tmp_path / "out", PrepareOptions(licence="MIT"))
    source = Source(own, licence="MIT", replies="all")
    report = prepare([source], tmp_path / "out", PrepareOptions(split=(4, 1, 1)))
    assert report["splits"]["train"]["samples"] == report["splits"]["train"]["dialogues"] == 16


@pytest.mark.parametrize("missing", ["train", "validation", "test"])
def test_a_missing_split_is_named(tmp_path: Path, missing: str) -> None:
    corpus = write_daily(tmp_path / "c")
    (corpus / f"{missing}.jsonl").unlink()
    with pytest.raises(DataError, match=f"has no {missing} split, wanted such as .*jsonl"):
        prepare(corpus, tmp_path / "out", PrepareOptions())
    assert not (tmp_path / "out").exists()
    report = prepare(corpus, tmp_path / "out", PrepareOptions(split=(4, 1, 1)))
    assert report["read"].keys() == {*SPLITS} - {missing}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (["Hi, Ben!", "Yes."], ["hi ben", "YES"], True),
        (["Hi.", "…"], ["Hi.", "?!"], False),
        (["Hi.", "😀"], ["Hi.", "😢"], False),
        (["😀"], ["😀 "], True),
        (["मैं"], ["मां"], False),  # marks are part of a word
        (["ทำ"], ["ท"], False),
        (["Привет!"], ["привет"], True),
        (["你好。"], ["你好"], True),
    ],
)
def test_duplicates_are_told_by_letters_of_every_script(
    one: list[str], other: list[str], same: bool
) -> None:
    assert (duplicate_key(one) == duplicate_key(other)) is same


def test_sources_on_a_command_line() -> None:
    found, licence = parse_sources(
        [Path("x")],
        ["a=p/a", "b=p/b=c"],
        weights=["2", "b=0.5"],
        licences=["MIT", "a=CC0-1.0"],
        replies=["b=all"],
        labels="turn",
    )
    assert licence == "MIT"
    assert found == [
        Source(Path("x"), "", 2.0, labels="turn"),
        Source(Path("p/a"), "a", 2.0, "CC0-1.0", labels="turn"),
        Source(Path("p/b=c"), "b", 0.5, replies="all", labels="turn"),
    ]
    (alone,), _ = parse_sources([Path("x")], [], licences=["MIT"])
    assert alone.licence == "MIT"


@pytest.mark.parametrize(
    "options",
    [
        {"named": ["a"]},
        {"named": ["=p"]},
        {"named": ["a=p", "a=q"]},
        {"named": ["a b=p"]},
        {"weights": ["a=1"]},
        {"weights": ["x"]},
        {"weights": ["0"]},
        {"weights": ["nan"]},
        {"weights": ["1", "2"]},
        {"replies": ["some"]},
        {"licences": ["b=MIT"]},
        {"labels": "gold"},
    ],
)
def test_sources_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        parse_sources([Path("x")], **{"named": [], **options})
