"""The parts of Psi_g by hand and by the oracle, the recogniser's loss, and class weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from empgan_rt.config import GeneratorConfig
from empgan_rt.graph_spec import EOS
from empgan_rt.text.featurizer import TurnFeatures
from empgan_training.algorithms.mle import (
    class_weights,
    corpus_weights,
    generator_loss,
    recogniser_loss,
)
from empgan_training.data.batch import Batch, collate
from empgan_training.data.prepared import PreparedDialogue
from empgan_training.model.generator import Generator
from support.oracle import Oracle, OracleTurn
from support.small_data import SMALL_SIZES, small_generator

CONFIG = GeneratorConfig(vocabulary_size=11, emotion_vocabulary_size=9, **SMALL_SIZES)
TURNS = [
    OracleTurn([4, 5, 6], [4], 1),
    OracleTurn([7, 8], [5, 8], 5),
    OracleTurn([9], [EOS], 5),
    OracleTurn([10, 4], [6], 2),
]


@pytest.fixture
def batch() -> Batch:
    turns = [TurnFeatures(list(t.words), list(t.emotion_words), t.label or 0, 0) for t in TURNS]
    return collate([PreparedDialogue("d", ("",) * 4, tuple(turns))], max_response=60)


def blank() -> Generator:
    """Return a generator of zeros: what it says is decided by biases alone."""
    generator = Generator(CONFIG).eval()
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.zero_()
    return generator


def test_without_weights_every_choice_is_uniform(batch: Batch) -> None:
    with torch.no_grad():
        loss = generator_loss(blank(), batch)
    assert float(loss.response) == pytest.approx(math.log(11))
    assert float(loss.emotion_words) == pytest.approx(math.log(9))
    assert float(loss.label) == pytest.approx(math.log(7))
    assert float(loss.total) == pytest.approx(math.log(11) + math.log(9) + math.log(7))
    assert batch.counts.tokens == 5  # 7 8 EOS and 9 EOS
    assert batch.counts.emotion_tokens == int((batch.emotion_out != 0).sum())


def test_losses_by_hand_from_biases(batch: Batch) -> None:
    generator = blank()
    with torch.no_grad():
        generator.decoder.vocabulary.bias[EOS] = 2.0
        generator.emotion_decoder.vocabulary.bias[5] = 1.0
        generator.label_head.bias[5 - 1] = 3.0
        loss = generator_loss(generator, batch)
    words = math.log(10 + math.exp(2.0))
    assert float(loss.response) == pytest.approx((3 * words + 2 * (words - 2.0)) / 5)
    emotions = math.log(8 + math.exp(1.0))  # 5 8 EOS and, for no emotion word, EOS alone
    assert float(loss.emotion_words) == pytest.approx((4 * emotions - 1.0) / 4)
    assert float(loss.label) == pytest.approx(math.log(6 + math.exp(3.0)) - 3.0)  # both are 5


@pytest.mark.parametrize("gradients", [False, True])
def test_losses_equal_the_oracle(batch: Batch, gradients: bool) -> None:
    generator = small_generator(CONFIG, seed=2).double()
    oracle = Oracle({name: p.detach().numpy() for name, p in generator.named_parameters()})
    with torch.set_grad_enabled(gradients):
        loss = generator_loss(generator, batch)
    memories = [oracle.encode(TURNS[:1]), oracle.encode(TURNS[:2])]
    nats = [oracle.response_nats(memories[0], [7, 8]), oracle.response_nats(memories[1], [9])]
    emotions = [oracle.emotion_nats(memories[0], [5, 8]), oracle.emotion_nats(memories[1], [])]
    labels = [oracle.label_nats(memory, 5) for memory in memories]
    parts = [np.mean(np.concatenate(each)) for each in (nats, emotions)] + [np.mean(labels)]
    ours = [float(part.detach()) for part in (loss.response, loss.emotion_words, loss.label)]
    assert ours == pytest.approx(parts, rel=1e-6)  # cross entropies are taken in float32
    assert float(loss.total.detach()) == pytest.approx(sum(parts), rel=1e-6)


def test_feedback_and_newest_label_are_never_seen(batch: Batch) -> None:
    """The response's label and everything after it is for the loss alone (no leak)."""
    generator = small_generator(CONFIG, seed=2)
    turns = [TurnFeatures(list(t.words), list(t.emotion_words), t.label or 0, 0) for t in TURNS]
    other = [*turns[:3], TurnFeatures([6, 6, 6], [7], 7, 0)]
    changed = collate([PreparedDialogue("d", ("",) * 4, tuple(other))], max_response=60)
    with torch.no_grad():
        a, b = generator_loss(generator, batch), generator_loss(generator, changed)
    assert torch.equal(a.total, b.total)


def test_recogniser_loss_is_weighted_and_skips_padding() -> None:
    generator = blank()
    with torch.no_grad():
        generator.recogniser.classify.bias[0] = 1.0
    turns = [TurnFeatures([4], [EOS], label, 0) for label in (1, 1, 5, 2, 2)]
    long = PreparedDialogue("a", ("",) * 5, tuple(turns))
    short = PreparedDialogue("b", ("",) * 3, tuple(turns[2:]))
    batch = collate([long, short], 60)  # read are 1, 1, 5 and 5; padding is not
    weights = torch.tensor([[0.5, 9.0, 9.0, 9.0, 2.0, 9.0, 9.0]])
    all_mass = math.log(6 + math.e)
    nats = {1: all_mass - 1.0, 5: all_mass}
    expected = (0.5 * nats[1] * 2 + 2.0 * nats[5] * 2) / (0.5 * 2 + 2.0 * 2)
    with torch.no_grad():
        assert float(recogniser_loss(generator, batch, weights)) == pytest.approx(expected)


def labelled(corpus: int, *labels: int) -> PreparedDialogue:
    turns = tuple(TurnFeatures([4], [EOS], label, 0) for label in (*labels, 8, 8))
    return PreparedDialogue("d", ("",) * len(turns), turns, corpus=corpus)


def test_a_turn_weighs_in_the_recognisers_loss_as_its_label_does_in_its_corpus() -> None:
    generator = blank()
    with torch.no_grad():
        generator.recogniser.classify.bias[0] = 1.0
    batch = collate([labelled(1, 1, 5), labelled(0, 1, 1, 5)], 60)
    assert batch.counts.labels == ((2, 0, 0, 0, 1, 0, 0), (1, 0, 0, 0, 1, 0, 0))
    weights = torch.ones(3, 7)  # of the third corpus, no turn is in the step
    weights[0, 0], weights[1, 4] = 0.5, 3.0
    all_mass = math.log(6 + math.e)
    nats = 0.5 * 2 * (all_mass - 1.0) + all_mass + (all_mass - 1.0) + 3.0 * all_mass
    with torch.no_grad():
        found = float(recogniser_loss(generator, batch, weights))
    assert found == pytest.approx(nats / (0.5 * 2 + 1 + 1 + 3))


def test_labels_are_weighed_among_those_of_their_own_corpus() -> None:
    dialogues = [labelled(0, 1, 1, 1, 5), labelled(1, 1, 5, 5, 5), labelled(0, 1)]
    weights = corpus_weights(dialogues, 2, 0.5)
    assert weights.shape == (2, 7)
    for row, labels in zip(weights, ([1, 1, 1, 1, 5], [1, 5, 5, 5]), strict=True):
        torch.testing.assert_close(row, class_weights(torch.tensor(labels)))
    assert float(weights[0, 4] / weights[0, 0]) == pytest.approx(2.0)  # four times as rare
    assert float(weights[1, 4] / weights[1, 0]) == pytest.approx(3**-0.5)


@pytest.mark.parametrize(
    ("smoothing", "ratio"),
    [(0.0, 1.0), (0.5, 2.0), (1.0, 4.0)],  # four times as rare
)
def test_class_weights_by_hand(smoothing: float, ratio: float) -> None:
    labels = torch.tensor([1] * 8 + [5] * 2)
    weights = class_weights(labels, smoothing)
    assert weights.shape == (7,)
    assert float(weights[4] / weights[0]) == pytest.approx(ratio)


def test_class_weights_have_mean_one_over_the_turns() -> None:
    labels = torch.tensor([1] * 80 + [2] * 3 + [3] * 2 + [4] + [5] * 9 + [6] * 3 + [7] * 2)
    assert float(class_weights(labels)[labels - 1].mean()) == pytest.approx(1.0)


def test_an_absent_class_has_a_finite_weight() -> None:
    assert torch.isfinite(class_weights(torch.tensor([1, 1, 2]))).all()
