import numpy as np
import pytest

from empgan_bench.scaling.run import TurnPool
from empgan_rt.graph_spec import EOS, UNKNOWN_LABEL
from empgan_rt.text.featurizer import DialogueFeatures, TurnFeatures


def turn(*tokens):
    return TurnFeatures([*tokens], [EOS], UNKNOWN_LABEL, 0)


@pytest.fixture
def pool():
    """Ten turns, one of which two contexts share."""
    contexts = [DialogueFeatures((turn(4), turn(5 + i, 6)), 0) for i in range(9)]
    return TurnPool.of(contexts)


def test_each_turn_is_there_once(pool):
    assert len(pool.turns) == 10


@pytest.mark.parametrize(
    ("batch", "turns", "items"), [(1, 10, 8), (2, 5, 8), (16, 1, 4), (64, 2, 2)]
)
def test_every_dialogue_has_the_turns_that_were_asked_for(pool, batch, turns, items):
    batches = pool.batches(batch, turns, seed=0)
    assert len(batches) == items
    for inputs in batches:
        assert inputs.emotion_labels.shape == (batch, turns)
        assert (inputs.emotion_labels == UNKNOWN_LABEL).all()


def test_no_turn_comes_twice_in_a_batch_while_there_are_enough(pool):
    assert pool.repeated(2, 5) == 0.0
    for inputs in pool.batches(3, 3, seed=1):
        assert len(np.unique(inputs.utterances.reshape(9, -1), axis=0)) == 9


def test_the_share_of_repeated_turns_is_told(pool):
    assert pool.repeated(4, 10) == 0.75
    inputs = pool.batches(4, 10, seed=1)[0]
    assert len(np.unique(inputs.utterances.reshape(40, -1), axis=0)) == 10


def test_the_seed_decides(pool):
    first, again, other = (pool.batches(2, 4, seed)[0].utterances for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
