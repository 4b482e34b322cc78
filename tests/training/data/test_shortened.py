"""A prepared folder with few of another's dialogues."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from empgan_rt.config import Limits
from empgan_rt.errors import DataError, InputError
from empgan_training.data.prepare import prepare
from empgan_training.data.prepared import PreparedData
from empgan_training.data.shortened import write_shortened
from empgan_training.data.sources import Source
from support.small_data import own_corpus, own_options, prepare_own

MOST = {"train": 20, "validation": 5, "test": 4}


def opened(folder: Path) -> PreparedData:
    return PreparedData(folder, Limits())


def ids(data: PreparedData, split: str) -> list[str]:
    return [dialogue.id for dialogue in data.split(split)]


def test_it_is_a_prepared_folder_of_fewer_dialogues(tmp_path: Path) -> None:
    write_shortened(prepare_own(tmp_path), tmp_path / "few", MOST)
    whole, few = opened(prepare_own(tmp_path)), opened(tmp_path / "few")
    assert {split: len(few.split(split)) for split in MOST} == few.shortened == MOST
    assert whole.shortened is None
    for name in ("tokenizer.json", "emotion_lexicon.tsv", "emotion_vocabulary.txt"):
        assert few.sha256[name] == whole.sha256[name]
    assert few.licence == whole.licence
    for split in MOST:
        before = ids(whole, split)
        places = [before.index(name) for name in ids(few, split)]
        assert places == sorted(places)
        assert places[-1] >= len(before) * 0.7  # not the first ones alone
    samples = few.table_samples(few.split("test"))
    assert len(samples) == 4
    assert few.report["table_samples"] == 4


def test_what_is_small_enough_stays_whole(tmp_path: Path) -> None:
    write_shortened(prepare_own(tmp_path), tmp_path / "few", dict.fromkeys(MOST, 10_000))
    whole, few = opened(prepare_own(tmp_path)), opened(tmp_path / "few")
    for split in MOST:
        assert ids(few, split) == ids(whole, split)
    assert few.sha256 == whole.sha256


def test_of_test_those_are_kept_that_the_tables_draw_from(tmp_path: Path) -> None:
    corpus = own_corpus(tmp_path / "corpus")
    prepare(corpus, tmp_path / "whole", own_options(test_dialogues=3))
    write_shortened(tmp_path / "whole", tmp_path / "few", MOST)
    few = opened(tmp_path / "few")
    assert len(few.table_samples(few.split("test"))) == len(few.split("test")) == 3


def test_every_source_of_several_is_there(tmp_path: Path) -> None:
    places = [own_corpus(tmp_path / name, count) for name, count in (("one", 120), ("two", 320))]
    sources = [Source(place, name=place.name, licence="MIT") for place in places]
    prepare(sources, tmp_path / "whole", own_options())
    write_shortened(tmp_path / "whole", tmp_path / "few", MOST)
    few = opened(tmp_path / "few")
    assert {dialogue.source for dialogue in few.split("train")} == {"one", "two"}
    assert few.sources.keys() == {"one", "two"}


def test_what_was_altered_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "whole"
    prepare(own_corpus(tmp_path / "corpus", 60), folder, own_options())
    with (folder / "train.jsonl").open("a") as file:
        file.write(json.dumps({"id": "x"}) + "\n")
    with pytest.raises(DataError, match="altered"):
        write_shortened(folder, tmp_path / "few", MOST)
    with pytest.raises(InputError, match="no report"):
        write_shortened(tmp_path, tmp_path / "few", MOST)
    assert not (tmp_path / "few").exists()
