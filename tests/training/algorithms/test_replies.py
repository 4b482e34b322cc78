"""Replies written during training follow the generator's distribution and can carry gradients."""

from __future__ import annotations

import copy

import pytest
import torch

from empgan_rt.graph_spec import EOS, PAD, SOS
from empgan_rt.text.featurizer import DialogueFeatures, TurnFeatures, encoder_input
from empgan_training.algorithms.adversary import memory_without_dropout
from empgan_training.algorithms.replies import (
    relaxed_replies,
    sampled_replies,
    soft_responses,
    token_log_probs,
)
from empgan_training.data.batch import Batch, collate
from empgan_training.data.prepared import PreparedDialogue
from empgan_training.eager import log_prob
from empgan_training.model.generator import Generator
from empgan_training.systems import SYSTEMS
from support.small_data import SMALL_SIZES, small_generator

MAX_LENGTH = 5
TURNS = [
    TurnFeatures([4, 9, 8], [5, 6], 4, 0),
    TurnFeatures([7], [EOS], 1, 0),
    TurnFeatures([6, 5], [EOS], 2, 0),
    TurnFeatures([8], [6], 1, 0),
]


@pytest.fixture(scope="module")
def generator() -> Generator:
    sizes = {"vocabulary_size": 11, "emotion_vocabulary_size": 8, **SMALL_SIZES}
    return small_generator(SYSTEMS["EmpG"].generator_config(**sizes), seed=4)


DIALOGUE = PreparedDialogue("d", ("",) * 4, tuple(TURNS))


@pytest.fixture
def batch() -> Batch:
    return collate([DIALOGUE], MAX_LENGTH)


def test_a_reply_ends_once_and_is_cut(generator: Generator, batch: Batch) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        memory = memory_without_dropout(generator, batch)
    lengths = set()
    for _ in range(60):
        for reply in sampled_replies(generator, memory, MAX_LENGTH).tolist():
            end = reply.index(EOS)
            assert not {PAD, SOS} & set(reply[:end])
            assert set(reply[end + 1 :]) <= {PAD}
            lengths.add(end)
    assert lengths == set(range(MAX_LENGTH + 1))


def test_log_probabilities_are_those_of_decoding(generator: Generator, batch: Batch) -> None:
    generator = copy.deepcopy(generator)
    torch.manual_seed(2)
    with torch.no_grad():
        generator.decoder.vocabulary.bias[[PAD, SOS]] = -40.0  # replies hold neither
        memory = memory_without_dropout(generator, batch)
        replies = sampled_replies(generator, memory, MAX_LENGTH)
        found = token_log_probs(generator, memory, replies, MAX_LENGTH)
        for s in range(batch.samples):
            context = DialogueFeatures(tuple(TURNS[: int(batch.context_turns[s])]), 0)
            words = [i for i in replies[s].tolist() if i not in (EOS, PAD)]
            cut = len(words) == MAX_LENGTH
            plain = log_prob(generator, encoder_input([context]), words, ended=not cut)
            assert float(found[s].sum()) == pytest.approx(plain, rel=1e-4)


def test_relaxed_words_are_one_hot_forward(generator: Generator, batch: Batch) -> None:
    memory = memory_without_dropout(generator, batch)
    torch.manual_seed(1)
    words = relaxed_replies(generator, memory, MAX_LENGTH, temperature=0.7)
    torch.manual_seed(1)
    again = relaxed_replies(generator, memory, MAX_LENGTH, temperature=5.0)
    assert torch.equal(words.ids, again.ids)  # the temperature is the gradient's alone
    assert words.weights is not None
    one_hot = torch.nn.functional.one_hot(words.ids, 11) * (words.ids != PAD).unsqueeze(-1)
    assert torch.equal(words.weights, one_hot.float())


def test_relaxed_words_follow_the_distribution(generator: Generator, batch: Batch) -> None:
    torch.manual_seed(3)
    with torch.no_grad():
        memory = memory_without_dropout(generator, collate([DIALOGUE] * 1500, MAX_LENGTH))
        firsts = slice(None, None, len(batch.response_out))  # one sample of each dialogue
        assert len(memory.newest[firsts].unique(dim=0)) == 1
        drawn = (
            relaxed_replies(generator, memory, 1, 0.5).ids[firsts, 0],
            sampled_replies(generator, memory, 1)[firsts, 0],
        )
    counts = [words.bincount(minlength=11) for words in drawn]
    assert (counts[0] - counts[1]).abs().max() / 1500 < 0.06


@pytest.mark.parametrize("relaxation", ["relaxed", "soft"])
def test_a_gradient_reaches_encoders_and_decoder(
    generator: Generator, batch: Batch, relaxation: str
) -> None:
    generator.zero_grad()
    memory = memory_without_dropout(generator, batch)
    torch.manual_seed(0)
    if relaxation == "relaxed":
        words = relaxed_replies(generator, memory, MAX_LENGTH, 1.0)
    else:
        words = soft_responses(generator, memory, batch, MAX_LENGTH, 1.0)
    assert words.weights is not None
    (words.weights * torch.rand(words.weights.shape)).sum().backward()
    heads = ("recogniser.", "emotion_decoder.", "label_head.")
    for name, parameter in generator.named_parameters():
        learns = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        assert learns != name.startswith(heads), name


def test_soft_responses_have_the_length_of_the_gold_ones(
    generator: Generator, batch: Batch
) -> None:
    with torch.no_grad():
        words = soft_responses(
            generator, memory_without_dropout(generator, batch), batch, MAX_LENGTH, 1.0
        )
    assert torch.equal(words.lengths, (batch.response_out != PAD).sum(1))
    assert torch.equal(words.ids == EOS, batch.response_out == EOS)
