"""Replies that differ count, unless float64 rates both alike."""

import pytest

from empgan_export.token_parity import best_replies, compare_replies
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import Limits, SearchConfig
from empgan_rt.dialogue.turns import Dialogue
from empgan_training.checkpoint import Checkpoint
from empgan_training.eager import EagerBackend
from support.small_data import small_checkpoint

TURNS = [["I lost my keys ."], ["Hello .", "How are you ?", "I am sad ."]] * 3


@pytest.fixture(scope="module")
def systems(small_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    checkpoint = Checkpoint.load(small_checkpoint(folder, seed=5))
    one = EagerBackend.from_bundle(Bundle.open(small_bundle[1]))
    other = EagerBackend.from_checkpoint(checkpoint)
    featurizer = checkpoint.featurizer(Limits())
    contexts = [featurizer.features(Dialogue.of(turns)) for turns in TURNS]
    return one, other, contexts, len(featurizer.tokenizer.vocabulary)


def compared(one, other, contexts, words, search, rate):
    replies = [best_replies(backend, contexts, search, words) for backend in (one, other)]
    return compare_replies(*replies, contexts, search, rate)


def test_a_backend_equals_itself(systems):
    one, _, contexts, words = systems
    result = compared(one, one, contexts, words, SearchConfig(), lambda *_: 0.0)
    assert (result.contexts, result.ties, result.mismatches) == (6, 0, ())


def test_other_weights_write_other_replies(systems):
    one, other, contexts, words = systems
    ratings = iter(range(1000))
    greedy = SearchConfig(beam_size=1)
    result = compared(one, other, contexts, words, greedy, lambda *_: -float(next(ratings)))
    assert result.mismatches
    assert result.ties == 0


def test_replies_rated_alike_are_ties(systems):
    one, other, contexts, words = systems
    search = SearchConfig(length_penalty=0.0)
    result = compared(one, other, contexts, words, search, lambda *_: -3.0)
    assert result.ties == 6
    assert result.mismatches == ()
