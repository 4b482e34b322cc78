import json

import pytest

from empgan_bench.measuring.workload import load_workload
from empgan_rt.config import Limits
from empgan_rt.errors import DataError, InputError
from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.featurizer import Featurizer
from empgan_rt.text.tokenizer import Tokenizer
from support.bench_engines import WORDS, toy_workload


@pytest.fixture
def featurizer():
    lexicon = EmotionLexicon({"word1": "own"}, ["word1"])
    return Featurizer(Tokenizer.from_words(WORDS), lexicon, Limits())


def lines(tmp_path, *records):
    file = tmp_path / "work.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def test_own_dialogues_are_the_default(featurizer):
    workload = load_workload(None, featurizer)
    assert workload.source == "own dialogues"
    assert len(workload.contexts) >= 300
    assert len(workload.sha256) == 64


def test_turns_are_read_whole_and_dialogues_without_their_reply(tmp_path, featurizer):
    file = lines(
        tmp_path,
        {"turns": ["word1 word2", "word3"]},
        {"dialogue": ["word1", "word2", "word3"], "emotion": [0, 0, 0]},
        {"dialogue": ["word1"]},
    )
    workload = load_workload(file, featurizer)
    assert [len(context.turns) for context in workload.contexts] == [2, 2, 1]
    texts = [[turn.text for turn in dialogue.turns] for dialogue in workload.dialogues]
    assert texts == [["word1 word2", "word3"], ["word1", "word2"], ["word1"]]
    assert workload.source == "work.jsonl"


def test_a_byte_order_mark_blank_lines_and_windows_line_ends_are_read_over(tmp_path, featurizer):
    plain = lines(tmp_path, {"turns": ["word1 word2"]}, {"turns": ["word3"]})
    other = tmp_path / "other.ndjson"
    other.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes().replace(b"\n", b"\r\n") + b"\r\n \r\n")
    found, wanted = (load_workload(file, featurizer).dialogues for file in (other, plain))
    assert found == wanted


@pytest.mark.parametrize(
    "record", [{}, {"turns": []}, {"turns": [""]}, {"turns": [3]}, [], {"turns": ["\ud800"]}]
)
def test_a_bad_line_is_named_by_its_number(tmp_path, featurizer, record):
    file = lines(tmp_path, {"turns": ["word1"]}, record)
    with pytest.raises(DataError, match=r"work\.jsonl:2"):
        load_workload(file, featurizer)


def test_missing_and_empty_files(tmp_path, featurizer):
    with pytest.raises(InputError, match="cannot be read"):
        load_workload(tmp_path / "none.jsonl", featurizer)
    with pytest.raises(DataError, match="no dialogue"):
        load_workload(lines(tmp_path), featurizer)


@pytest.mark.parametrize(("size", "items"), [(1, 16), (8, 16), (32, 4), (128, 2), (500, 2)])
def test_number_and_size_of_batches(size, items):
    batches = toy_workload().batches(size, seed=0)
    assert len(batches) == items
    assert all(len(batch.emotion_labels) == size for batch in batches)


def test_batches_follow_the_seed_and_use_every_context_before_one_comes_twice():
    workload = toy_workload(contexts=16)

    def firsts(seed):
        return [int(batch.utterances[0, 0, 0]) for batch in workload.batches(1, seed)]

    assert firsts(3) == firsts(3)
    assert firsts(3) != firsts(4)
    assert sorted(firsts(3)) == list(range(4, 20))
