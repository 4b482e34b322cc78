"""Completions of beginnings: what they keep, how they end, and whose distribution they follow."""

from __future__ import annotations

import pytest
import torch

from empgan_rt.graph_spec import EOS, PAD, SOS
from empgan_rt.text.featurizer import TurnFeatures
from empgan_training.algorithms.adversary import memory_without_dropout
from empgan_training.algorithms.replies import token_log_probs
from empgan_training.algorithms.rollouts import completed_replies
from empgan_training.data.batch import Batch, collate
from empgan_training.data.prepared import PreparedDialogue
from empgan_training.model.generator import Generator
from empgan_training.systems import SYSTEMS
from support.small_data import SMALL_SIZES, small_generator

SIZES = {"vocabulary_size": 11, "emotion_vocabulary_size": 9, **SMALL_SIZES}
MAX_LENGTH = 4
REPLIES = torch.tensor([[5, 6, 7, EOS], [8, 9, EOS, PAD]])


@pytest.fixture(params=["SeqGAN", "EmpG"])
def generator(request: pytest.FixtureRequest) -> Generator:
    return small_generator(SYSTEMS[request.param].generator_config(**SIZES), seed=1)


@pytest.fixture
def batch() -> Batch:
    contexts = [[4, 5, 6], [7, 8], [9]], [[8], [4, 9, 5], [6]]
    return collate(
        [
            PreparedDialogue("d", ("",) * 3, tuple(TurnFeatures(t, [EOS], 1, 0) for t in turns))
            for turns in contexts
        ],
        MAX_LENGTH,
    )


def test_beginnings_are_kept_and_replies_end_once(generator: Generator, batch: Batch) -> None:
    torch.manual_seed(0)
    sample = torch.tensor([0, 0, 0, 1]).repeat_interleave(150)
    said = torch.tensor([1, 2, 3, 1]).repeat_interleave(150)
    with torch.no_grad():
        memory = memory_without_dropout(generator, batch)
    completed = completed_replies(generator, memory, REPLIES, sample, said, MAX_LENGTH)
    assert completed.shape == (600, MAX_LENGTH + 1)
    lengths = set()
    for reply, i, kept in zip(completed.tolist(), sample, said, strict=True):
        assert reply[:kept] == REPLIES[i, :kept].tolist()
        end = reply.index(EOS)
        assert kept <= end
        assert not {PAD, SOS} & set(reply[:end])
        assert set(reply[end + 1 :]) <= {PAD}
        lengths.add(end)
    assert {2, 3, MAX_LENGTH} <= lengths


def test_completions_follow_the_generators_distribution(generator: Generator, batch: Batch) -> None:
    """The two words after each beginning, against their exact joint probabilities."""
    torch.manual_seed(1)
    draws, words = 20_000, torch.arange(11)
    with torch.no_grad():
        memory = memory_without_dropout(generator, batch)
    for i, kept in ((0, 1), (0, 2), (1, 1)):
        sample, said = torch.full((draws,), i), torch.full((draws,), kept)
        completed = completed_replies(generator, memory, REPLIES, sample, said, MAX_LENGTH)
        pairs = completed[:, kept : kept + 2]
        counts = torch.bincount(pairs[:, 0] * 11 + pairs[:, 1], minlength=121)
        every = torch.cartesian_prod(words, words)
        every = every[(every != PAD).all(1) & (every != SOS).all(1) & (every[:, 0] != EOS)]
        begun = REPLIES[i, :kept].expand(len(every), -1)
        of = torch.full((len(every),), i)
        parts = [part if part is None else part[of] for part in memory]
        with torch.no_grad():
            exact = token_log_probs(
                generator, type(memory)(*parts), torch.cat([begun, every], 1), 99
            )
        probability = exact[:, kept : kept + 2].sum(1).exp()
        found = counts[every[:, 0] * 11 + every[:, 1]] / draws
        torch.testing.assert_close(found, probability, atol=0.015, rtol=0.0)
