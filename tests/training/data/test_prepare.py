"""The protocol of `data prepare`, its folder and its report."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.errors import DataError, InputError, StorageError
from empgan_rt.storage import replacing
from empgan_training.data.corpora import emotions as module
from empgan_training.data.corpora.corpus import SPLITS
from empgan_training.data.prepare import prepare
from empgan_training.data.vocabulary import VocabularyOptions
from support.small_data import own_corpus, own_dialogues, own_options, write_jsonl

FILES = {
    *(f"{split}.jsonl" for split in SPLITS),
    "tokenizer.json",
    "emotion_lexicon.tsv",
    "emotion_vocabulary.txt",
    "test_samples.jsonl",
    "report.json",
}
PLAIN = own_dialogues()[:20]


def dialogue(*turns: str, emotion: list[int] | None = None) -> dict[str, Any]:
    return {"dialogue": list(turns), "emotion": emotion or [0] * len(turns)}


def corpus(folder: Path, **splits: list[dict[str, Any]]) -> Path:
    """Write splits; those not given hold a few of our own dialogues."""
    defaults = {"train": PLAIN[:10], "validation": PLAIN[10:15], "test": PLAIN[15:]}
    for split, rows in (defaults | splits).items():
        write_jsonl(folder / f"{split}.jsonl", rows)
    return folder


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def texts(out: Path, split: str) -> list[list[str]]:
    return [row["utterances"] for row in rows(out / f"{split}.jsonl")]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    out = folder / "prepared"
    prepare(own_corpus(folder / "corpus"), out, own_options())
    return out


def test_the_folder_is_complete_and_hashed(own: Path) -> None:
    report = json.loads((own / "report.json").read_bytes())
    assert {path.name for path in own.iterdir()} == FILES
    assert set(report["sha256"]) == FILES - {"report.json"}
    for name, digest in report["sha256"].items():
        assert hashlib.sha256((own / name).read_bytes()).hexdigest() == digest
    assert [path.name for path in own.parent.iterdir() if path.name.startswith(".")] == []


def test_the_report_counts_what_the_folder_holds(own: Path) -> None:
    report = json.loads((own / "report.json").read_bytes())
    total = 0
    for split in SPLITS:
        found, told = rows(own / f"{split}.jsonl"), report["splits"][split]
        labels = [label for row in found for label in row["emotions"]]
        assert told["dialogues"] == report["read"][split] == len(found)
        assert told["turns"] == len(labels)
        assert told["samples"] == sum(len(row["utterances"]) - 2 for row in found)
        neutral = 100 * labels.count(0) / len(labels)
        assert told["labels_percent"]["neutral"] == pytest.approx(neutral, abs=0.005)
        surprise = 100 * labels.count(6) / len(labels)
        assert told["labels_percent"]["surprise"] == pytest.approx(surprise, abs=0.005)
        total += len(found)
    assert report["dialogues"] == {"ours": total, "paper": 11_102}
    assert report["bad_lines"] == []
    assert report["table_samples"] == len(rows(own / "test_samples.jsonl"))
    vocabulary = json.loads((own / "tokenizer.json").read_bytes())["model"]["vocab"]
    assert report["vocabulary"] == {"ours": len(vocabulary), "paper": 11_647}
    lines = (own / "emotion_vocabulary.txt").read_text().splitlines()
    types = (own / "emotion_lexicon.tsv").read_text().splitlines()
    assert report["emotion_vocabulary"] == {
        "ours": len(lines),
        "types_in_list": len(types),
        "paper": 6_389,
    }
    assert 0 < report["train_unknown_percent"] < 20


def test_quirks_of_the_text_are_mended_in_the_stored_dialogues(tmp_path: Path) -> None:
    source = corpus(tmp_path / "c", test=[dialogue("I ’ m fine.And you ?", "Don ’ t ask。", "OK")])
    prepare(source, tmp_path / "out", own_options())
    assert texts(tmp_path / "out", "test") == [["I'm fine. And you ?", "Don't ask.", "OK"]]


def test_duplicates_are_dropped_and_train_gives_way_to_validation_and_test(
    tmp_path: Path,
) -> None:
    a = dialogue("I am so happy today.", "Why is that?", "I found my dog.")
    b = dialogue("It rains again.", "Take a coat.", "Good idea.")
    c = dialogue("Are you hungry?", "Yes, very.", "Let us cook.")
    d = dialogue("Did you call her?", "Not yet.", "Please do.")
    louder = dialogue("i am SO happy today !", "Why is that", "I  found my dog ...")
    source = corpus(
        tmp_path / "c",
        test=[a, louder],
        validation=[louder, b, b],
        train=[a, c, louder, b, c, d],
    )
    prepare(source, tmp_path / "out", own_options())
    for split, kept in {"test": [a], "validation": [b], "train": [c, d]}.items():
        assert texts(tmp_path / "out", split) == [row["dialogue"] for row in kept]


def test_three_turns_are_the_least(tmp_path: Path) -> None:
    short, three = dialogue("Hello there.", "Hi."), dialogue("One here.", "Two here.", "Three.")
    four = dialogue("Where is it?", "Over there.", "I cannot see it.", "Look again.")
    source = corpus(tmp_path / "c", train=[short, three, four])
    prepare(source, tmp_path / "out", own_options())
    assert texts(tmp_path / "out", "train") == [three["dialogue"], four["dialogue"]]
    prepare(source, tmp_path / "four", own_options(min_turns=4))
    assert texts(tmp_path / "four", "train") == [four["dialogue"]]


def test_label_change_filter(tmp_path: Path) -> None:
    same = dialogue("Fine.", "Fine too.", "Good.", emotion=[4, 4, 4])
    changing = dialogue("Oh no.", "What is it?", "My cup broke.", emotion=[5, 0, 5])
    source = corpus(tmp_path / "c", train=[same, changing])
    prepare(source, tmp_path / "all", own_options())
    prepare(source, tmp_path / "changing", own_options(label_change=True))
    assert texts(tmp_path / "all", "train") == [same["dialogue"], changing["dialogue"]]
    assert texts(tmp_path / "changing", "train") == [changing["dialogue"]]


def split_ids(out: Path) -> dict[str, list[str]]:
    return {split: [row["id"] for row in rows(out / f"{split}.jsonl")] for split in SPLITS}


def test_resplit_is_ten_to_one_to_one_and_follows_the_seed(tmp_path: Path) -> None:
    source = own_corpus(tmp_path / "c", 120)
    made = {
        name: prepare(source, tmp_path / name, own_options(split=(10, 1, 1), seed=seed))
        for name, seed in (("a", 1), ("again", 1), ("b", 2))
    }
    sizes = {split: made["a"]["splits"][split]["dialogues"] for split in SPLITS}
    assert sizes == {"train": 100, "validation": 10, "test": 10}
    a, again, b = (split_ids(tmp_path / name) for name in ("a", "again", "b"))
    assert a == again
    assert a != b
    assert {i for part in a.values() for i in part} == {i for part in b.values() for i in part}
    assert any(i.startswith("validation") for i in a["train"])  # really mixed


def test_a_source_without_splits_is_split(tmp_path: Path) -> None:
    chosen = own_dialogues()[:36]
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "dialogues_text.txt").write_text(
        "".join(" __eou__ ".join([*row["dialogue"], "\n"]) for row in chosen), "utf-8"
    )
    (tmp_path / "c" / "dialogues_emotion.txt").write_text(
        "".join(" ".join(map(str, row["emotion"])) + "\n" for row in chosen)
    )
    report = prepare(tmp_path / "c", tmp_path / "out", own_options())
    assert report["read"] == {"all": 36}
    assert [report["splits"][split]["dialogues"] for split in SPLITS] == [30, 3, 3]


def samples(out: Path) -> list[tuple[str, int]]:
    return [(row["dialogue"], row["response"]) for row in rows(out / "test_samples.jsonl")]


def test_table_samples_are_drawn_by_seed(tmp_path: Path) -> None:
    source = own_corpus(tmp_path / "c", 150)

    def drawn(name: str, **options: int) -> list[tuple[str, int]]:
        prepare(source, tmp_path / name, own_options(test_dialogues=9, **options))
        return samples(tmp_path / name)

    once = drawn("a", seed=1)
    assert once == drawn("again", seed=1)
    assert once != drawn("b", seed=2)
    turns = {row["id"]: len(row["utterances"]) for row in rows(tmp_path / "a" / "test.jsonl")}
    assert len({i for i, _ in once}) == len(once) == 9  # one response of each dialogue
    many = drawn("many", seed=1, samples_per_dialogue=50)
    assert len(many) == sum(turns[i] - 2 for i in {i for i, _ in many})  # all there are
    for i, response in [*once, *many]:
        assert 1 <= response <= turns[i] - 2  # a context before it, a feedback after it


def test_everything_is_repeatable_to_the_byte(own: Path, tmp_path: Path) -> None:
    prepare(own.parent / "corpus", tmp_path / "again", own_options())
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (own / name).read_bytes(), name


def test_vocabularies_come_from_train_alone(tmp_path: Path) -> None:
    source = corpus(tmp_path / "c", test=[dialogue("Zyzzyva, zyzzyva!", "Zyzzyva?", "Zyzzyva.")])
    prepare(source, tmp_path / "out", own_options())
    assert "Zyzzyva" not in (tmp_path / "out" / "tokenizer.json").read_text()


def test_a_lexicon_file_is_flagged_in_what_is_stored(tmp_path: Path) -> None:
    lexicon = tmp_path / "invented.txt"
    lexicon.write_text("glimful\tjoy\t1\nexam\tfear\t1\n")
    options = own_options(vocabulary=VocabularyOptions(lexicon=str(lexicon)))
    prepare(corpus(tmp_path / "c"), tmp_path / "out", options)
    stored = (tmp_path / "out" / "emotion_lexicon.tsv").read_text().splitlines()
    assert "glimful\tnrc" in stored
    assert not any(line.endswith("\tvader") for line in stored)


def test_an_existing_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    for force in (False, True):  # even --force replaces prepared folders only
        with pytest.raises(InputError):
            prepare(corpus(tmp_path / "c"), out, own_options(), force=force)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_force_replaces_a_prepared_folder(own: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(own, out)
    prepare(corpus(tmp_path / "c"), out, own_options(), force=True)
    assert len(texts(out, "test")) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "out"]


@pytest.mark.parametrize("existing", [False, True])
def test_a_failing_disk_leaves_what_was_there(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    out = tmp_path / "out"
    if existing:
        shutil.copytree(own, out)
    source = corpus(tmp_path / "c")
    write, rename = Path.write_bytes, Path.rename
    calls = 0

    def failing_write(path: Path, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise OSError(28, "No space left on device")
        return write(path, data)

    def failing_rename(path: Path, target: Path) -> Path:
        if target == out and path.suffix != ".old":
            raise OSError(5, "Input/output error")
        return rename(path, target)

    def failing_exchange(one: Path, other: Path) -> bool:
        raise OSError(5, "Input/output error")

    for name, failing, exchange in (
        ("write_bytes", failing_write, replacing.exchange),
        ("rename", failing_rename, failing_exchange),
        ("rename", failing_rename, lambda one, other: False),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Path, name, failing)
            patch.setattr(replacing, "exchange", exchange)
            with pytest.raises(StorageError):
                prepare(source, out, own_options(), force=existing)
        assert out.exists() == existing
        assert [path.name for path in tmp_path.iterdir() if path.name not in ("c", "out")] == []
    if existing:
        assert {path.name for path in out.iterdir()} == FILES
        assert (out / "report.json").read_bytes() == (own / "report.json").read_bytes()


def test_what_was_dropped_is_counted(tmp_path: Path) -> None:
    short = dialogue("Only.", "Two.")
    changing = dialogue("My cat ran off.", "Oh no.", "She is back.", emotion=[0, 5, 0])
    flat = dialogue("It rains.", "Take a coat.", "I will.")
    splits = {"test": [changing, changing, short, flat], "train": [changing, *PLAIN]}
    source = corpus(tmp_path / "c", **splits, validation=PLAIN[:10])
    plain = prepare(source, tmp_path / "plain", own_options())
    assert plain["dropped"] == {"duplicate": 12, "too_short": 1, "label_change": 0}
    report = prepare(source, tmp_path / "out", own_options(label_change=True))
    kept = sum(part["dialogues"] for part in report["splits"].values())
    assert report["dropped"]["label_change"] >= 1
    assert kept + sum(report["dropped"].values()) == sum(report["read"].values())
    assert json.loads((tmp_path / "out" / "report.json").read_bytes())["dropped"] == dict(
        report["dropped"]
    )


def test_everything_is_on_the_disk_before_the_folder_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    source = corpus(tmp_path / "c")
    flushed: list[tuple[str, bool]] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").resolve().name
        flushed.append((name, out.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    prepare(source, out, own_options())
    before = [name for name, placed in flushed if not placed]
    assert set(before[:-1]) == FILES
    assert before[-1].startswith(".out.")  # the new folder itself, last
    assert [name for name, placed in flushed if placed] == [tmp_path.name]


def test_an_empty_split_stops(tmp_path: Path) -> None:
    source = corpus(tmp_path / "c", validation=[dialogue("Too.", "Short.")])
    with pytest.raises(DataError, match="no validation dialogue is left"):
        prepare(source, tmp_path / "out", own_options())
    assert not (tmp_path / "out").exists()


def test_emotion_names_are_dailydialogs() -> None:
    assert module.LABELS[0] == "neutral"
    from empgan_rt.dialogue.turns import Emotion

    assert tuple(e.name.lower() for e in Emotion) == module.LABELS
