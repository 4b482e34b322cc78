"""Batches: every sample once, and every array as its docstring says."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch

from empgan_rt.config import Limits
from empgan_rt.graph_spec import EOS, SOS
from empgan_rt.text.featurizer import TurnFeatures
from empgan_training.data.batch import Batch, batches, collate, grouped
from empgan_training.data.prepared import PreparedData, PreparedDialogue, all_samples
from support.small_data import prepare_own


def turn(tokens: list[int], emotions: list[int], label: int) -> TurnFeatures:
    return TurnFeatures(tokens, emotions or [EOS], label, 0)


LONG = PreparedDialogue(
    "long",
    ("", "", "", "", ""),
    (
        turn([10, 11], [20], 1),
        turn([12, 13, 14, 15], [], 2),
        turn([16], [21, 22], 3),
        turn([17, 18], [23], 4),
        turn([19], [], 5),
    ),
)
SHORT = PreparedDialogue(
    "short",
    ("", "", ""),
    (turn([30], [], 7), turn([31, 32], [24], 6), turn([33] * 9, [25] * 9, 1)),
)


def test_layout_of_a_batch() -> None:
    batch = collate([LONG, SHORT], max_response=3)
    assert batch.samples == 4
    # the last two turns are never context, so they are not encoded
    assert batch.utterances.tolist() == [
        [[10, 11, 0, 0], [12, 13, 14, 15], [16, 0, 0, 0]],
        [[30, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
    ]
    assert batch.emotion_words.tolist() == [
        [[20, 0], [EOS, 0], [21, 22]],
        [[EOS, 0], [0, 0], [0, 0]],
    ]
    assert batch.labels.tolist() == [[1, 2, 3], [7, 0, 0]]
    assert batch.dialogue_of.tolist() == [0, 0, 0, 1]
    assert batch.context_turns.tolist() == [1, 2, 3, 1]
    assert batch.response_in.tolist() == [
        [SOS, 12, 13, 14],  # cut at three tokens
        [SOS, 16, 0, 0],
        [SOS, 17, 18, 0],
        [SOS, 31, 32, 0],
    ]
    assert batch.response_out.tolist() == [
        [12, 13, 14, EOS],
        [16, EOS, 0, 0],
        [17, 18, EOS, 0],
        [31, 32, EOS, 0],
    ]
    assert batch.emotion_in.tolist() == [[SOS, 0, 0], [SOS, 21, 22], [SOS, 23, 0], [SOS, 24, 0]]
    assert batch.emotion_out.tolist() == [[EOS, 0, 0], [21, 22, EOS], [23, EOS, 0], [24, EOS, 0]]
    assert batch.response_label.tolist() == [2, 3, 4, 6]


def test_to_keeps_every_array() -> None:
    batch = collate([LONG, SHORT], 60)
    moved = batch.to(torch.device("cpu"))
    assert isinstance(moved, Batch)
    assert torch.equal(moved.response_out, batch.response_out)
    assert moved.samples == batch.samples


@pytest.fixture(scope="module")
def dialogues(tmp_path_factory: pytest.TempPathFactory) -> list[PreparedDialogue]:
    folder = prepare_own(tmp_path_factory.mktemp("batch"), 100)
    return PreparedData(folder, Limits()).split("train")


def sample_keys(batch: Batch) -> list[tuple[tuple[int, ...], tuple[int, ...], int]]:
    """Return (all context tokens, response tokens, response label) of each sample."""
    keys = []
    for s in range(batch.samples):
        context = batch.utterances[batch.dialogue_of[s], : batch.context_turns[s]]
        words = tuple(i for i in context.flatten().tolist() if i)
        response = tuple(i for i in batch.response_out[s].tolist() if i)
        keys.append((words, response, int(batch.response_label[s])))
    return keys


@pytest.mark.parametrize("shuffle", [None, 1, 2])
@pytest.mark.parametrize("samples", [1, 7, 32, 10_000])
def test_every_sample_comes_exactly_once(
    dialogues: list[PreparedDialogue], shuffle: int | None, samples: int
) -> None:
    order = None if shuffle is None else random.Random(shuffle)
    found: Counter[object] = Counter()
    for group in grouped(dialogues, samples, order):
        found.update(sample_keys(collate(group, 200)))
    wanted: Counter[object] = Counter()
    for sample in all_samples(dialogues):
        turns = sample.dialogue.turns
        context = tuple(i for t in turns[: sample.response] for i in t.token_ids)
        response = turns[sample.response]
        wanted[(context, (*response.token_ids, EOS), response.label)] += 1
    assert found == wanted


def test_batches_take_the_shortest_dialogues_first(dialogues: list[PreparedDialogue]) -> None:
    found = list(batches(dialogues, 16, 200))
    wanted = [collate(group, 200) for group in grouped(dialogues, 16)]
    assert [sample_keys(batch) for batch in found] == [sample_keys(batch) for batch in wanted]
    turns = [batch.utterances.shape[1] for batch in found]
    assert turns == sorted(turns)
    assert turns[0] < turns[-1]


def test_batches_hold_about_the_wanted_samples(dialogues: list[PreparedDialogue]) -> None:
    sizes = [
        sum(len(d.responses) for d in group)
        for group in grouped(dialogues, 16, random.Random(0), bucket=50)
    ]
    assert max(sizes) <= 16  # no dialogue here has more samples than that
    assert sum(size >= 10 for size in sizes) >= len(sizes) - 2


def test_a_dialogue_with_more_samples_than_wanted_is_a_batch_of_its_own() -> None:
    assert [[d.id for d in g] for g in grouped([LONG, SHORT], 2, None, 50)] == [["short"], ["long"]]


def test_the_shuffle_decides_the_order(dialogues: list[PreparedDialogue]) -> None:
    def ids(seed: int) -> list[list[str]]:
        return [[d.id for d in g] for g in grouped(dialogues, 16, random.Random(seed), bucket=5)]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)
    given = list(dialogues)
    ids(3)
    assert dialogues == given  # the caller's list is not reordered


def test_batches_share_a_length(dialogues: list[PreparedDialogue]) -> None:
    groups = grouped(dialogues, 16, random.Random(0), bucket=50)
    spread = [max(len(d.turns) for d in g) - min(len(d.turns) for d in g) for g in groups]
    chance = [len(d.turns) for d in dialogues]
    assert sum(spread) / len(spread) < (max(chance) - min(chance)) / 2
