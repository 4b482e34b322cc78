"""Every turn gets its own vector, no turn is read twice, and runs are cut as cheaply as can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import pytest

from empgan_rt.backends import turn_reader
from empgan_rt.backends.turn_reader import START_ROWS, TurnReader, groups, turn_keys
from empgan_rt.errors import InputError
from empgan_rt.graph_spec import EncoderInput


class Encoder:
    """Returns (sum of the words, sum of the emotion words) and remembers what it was run on."""

    def __init__(self) -> None:
        self.runs: list[tuple[list[list[int]], list[list[int]]]] = []

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        words, feelings = feeds["utterances"], feeds["emotion_words"]
        self.runs.append((words.tolist(), feelings.tolist()))
        return np.stack([words.sum(1), feelings.sum(1)], axis=1).astype(np.float32)

    @property
    def turns(self) -> int:
        return sum(len(words) for words, _ in self.runs)


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


def batch(*dialogues: list[list[int]]) -> EncoderInput:
    """Return dialogues of turns of words; the emotion words of a turn are its first word."""
    shape = len(dialogues), max(map(len, dialogues)), max(len(t) for d in dialogues for t in d)
    utterances, labels = np.zeros(shape, np.int32), np.zeros(shape[:2], np.int32)
    for b, dialogue in enumerate(dialogues):
        for m, turn in enumerate(dialogue):
            utterances[b, m, : len(turn)] = turn
            labels[b, m] = 8
    return EncoderInput(utterances, utterances[:, :, :1].copy(), labels)


def test_every_turn_gets_its_vector_and_padding_gets_zero(encoder: Encoder) -> None:
    vectors = TurnReader(encoder, 2, 0).read(turn_keys(batch([[1, 2, 3], [4]], [[5, 6]])))
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[[6, 1], [4, 4]], [[11, 5], [0, 0]]]


def test_a_turn_that_comes_twice_is_run_once(encoder: Encoder) -> None:
    reader = TurnReader(encoder, 2, 8)
    first = reader.read(turn_keys(batch([[1, 2], [3], [1, 2]], [[3], [4]])))
    assert encoder.turns == 3
    again = reader.read(turn_keys(batch([[1, 2], [3], [1, 2], [5]], [[3], [4]])))
    assert encoder.turns == 4
    np.testing.assert_array_equal(again[:, :3], first)
    assert again[0, 3].tolist() == [5, 5]


def test_turns_of_the_same_words_with_other_emotion_words_are_others(encoder: Encoder) -> None:
    inputs = batch([[1, 2], [1, 2]])
    inputs.emotion_words[0, 1] = 9
    assert TurnReader(encoder, 2, 8).read(turn_keys(inputs))[0].tolist() == [[3, 1], [3, 9]]


def test_without_a_cache_nothing_is_kept(encoder: Encoder) -> None:
    reader = TurnReader(encoder, 2, 0)
    for _ in range(2):
        reader.read(turn_keys(batch([[1, 2], [1, 2]])))
    assert encoder.turns == 2
    assert not reader._known


def test_the_turn_that_was_not_used_for_longest_is_forgotten(encoder: Encoder) -> None:
    reader = TurnReader(encoder, 2, 2)
    for turn in ([1], [2], [1], [3]):  # the 3 drives the 2 out, not the 1
        reader.read(turn_keys(batch([turn])))
    assert encoder.turns == 3
    reader.read(turn_keys(batch([[1], [3]])))
    assert encoder.turns == 3
    reader.read(turn_keys(batch([[2]])))
    assert encoder.turns == 4
    assert len(reader._known) == 2
    reader.clear()
    reader.read(turn_keys(batch([[2]])))
    assert encoder.turns == 5


def test_what_is_kept_does_not_keep_the_batch(encoder: Encoder) -> None:
    reader = TurnReader(encoder, 2, 9)
    reader.read(turn_keys(batch([[i] for i in range(1, 9)])))[:] = -1
    assert all(vector.base is None for vector in reader._known.values())
    assert reader.read(turn_keys(batch([[7]]))).tolist() == [[[7, 7]]]


def test_short_turns_are_not_padded_to_long_ones(encoder: Encoder) -> None:
    turns = [[1] * 40, *([i] for i in range(2, 22))]
    TurnReader(encoder, 2, 0).read(turn_keys(batch(turns)))
    assert [(len(words), len(words[0])) for words, _ in sorted(encoder.runs)] == [(1, 40), (20, 1)]


def test_a_turn_without_words_is_one_of_padding(encoder: Encoder) -> None:
    inputs = batch([[1], [2]])
    inputs.utterances[0, 1] = 0
    assert TurnReader(encoder, 2, 0).read(turn_keys(inputs))[0].tolist() == [[1, 1], [0, 2]]


@pytest.mark.parametrize("name", ["utterances", "emotion_words", "emotion_labels"])
def test_what_is_not_right_padded_is_refused(name: str) -> None:
    inputs = batch([[1, 2], [3, 4], [5, 6]])
    inputs = EncoderInput(inputs.utterances, inputs.utterances.copy(), inputs.emotion_labels)
    getattr(inputs, name)[..., 0] = 0
    with pytest.raises(InputError, match=f"{name} is not right-padded"):
        turn_keys(inputs)


def test_a_negative_cache_is_refused(encoder: Encoder) -> None:
    with pytest.raises(InputError, match="turn_cache is -1"):
        TurnReader(encoder, 2, -1)


def partitions(rows: int) -> Iterator[list[slice]]:
    for inner in range(2 ** (rows - 1)):
        cuts = [0, *(i + 1 for i in range(rows - 1) if inner >> i & 1), rows]
        yield [slice(*cut) for cut in pairwise(cuts)]


@pytest.mark.parametrize("seed", range(20))
def test_no_other_cut_costs_less(seed: int) -> None:
    draw = np.random.default_rng(seed)
    lengths = sorted(draw.integers(1, 40, draw.integers(1, 10)).tolist(), reverse=True)

    def cost(runs: list[slice]) -> int:
        return sum(lengths[r.start] * (START_ROWS + r.stop - r.start) for r in runs)

    found = sorted(groups(lengths), key=lambda run: run.start)
    assert [found[0].start, found[-1].stop] == [0, len(lengths)]
    assert all(one.stop == other.start for one, other in pairwise(found))
    assert cost(found) == min(map(cost, partitions(len(lengths))))


def test_no_run_is_larger_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_reader, "MAX_TOKENS", 20)
    assert groups([7] * 5) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert groups([30, 30]) == [slice(0, 1), slice(1, 2)]
    assert groups([]) == []
