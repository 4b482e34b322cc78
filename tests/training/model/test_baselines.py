"""The baselines' generators: flat and hierarchical, with and without labels and attention."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from empgan_rt.graph_spec import EOS, SOS, STRUCK
from empgan_rt.text.featurizer import TurnFeatures
from empgan_training.algorithms.mle import generator_loss, recogniser_loss, sample_memory
from empgan_training.data.batch import Batch, collate
from empgan_training.data.prepared import PreparedDialogue
from empgan_training.model.encoders import one_sequence
from empgan_training.model.generator import Generator
from empgan_training.systems import SYSTEMS, SystemName
from support.small_data import SMALL_SIZES, small_generator

NAMES: tuple[SystemName, ...] = ("HRED", "SeqGAN", "Emo-S2S", "Emo-HRED")
SIZES = {"vocabulary_size": 29, "emotion_vocabulary_size": 13, **SMALL_SIZES}
TOL = {"rtol": 1e-9, "atol": 1e-9}

UTTERANCES = torch.tensor(
    [[[4, 9, 28], [11, 0, 0], [6, 6, 1]], [[20, 21, 0], [0, 0, 0], [0, 0, 0]]]
).int()
EMOTION_WORDS = torch.tensor([[[5, 12], [3, 0], [7, 7]], [[3, 0], [0, 0], [0, 0]]]).int()
LABELS = torch.tensor([[4, 8, 1], [2, 0, 0]]).int()


@pytest.fixture(params=NAMES)
def generator(request: pytest.FixtureRequest) -> Generator:
    return generator_of(request.param)


def generator_of(name: SystemName) -> Generator:
    return small_generator(SYSTEMS[name].generator_config(**SIZES), seed=3).double()


def padded(ids: Tensor, *extra: int) -> Tensor:
    grown = ids.new_zeros([size + more for size, more in zip(ids.shape, extra, strict=True)])
    grown[tuple(slice(size) for size in ids.shape)] = ids
    return grown


def test_a_flat_sequence_holds_the_turns_that_are_read_each_with_its_end() -> None:
    joined = one_sequence(UTTERANCES, torch.tensor([2, 1]))
    assert joined.tolist() == [[4, 9, 28, EOS, 11, EOS], [20, 21, EOS, 0, 0, 0]]
    assert one_sequence(UTTERANCES[:1], torch.tensor([3])).tolist() == [
        [4, 9, 28, EOS, 11, EOS, 6, 6, 1, EOS]
    ]


@pytest.mark.parametrize("name", ["SeqGAN", "Emo-S2S"])
def test_a_flat_memory_is_the_gru_over_that_sequence(name: SystemName) -> None:
    generator = generator_of(name)
    with torch.no_grad():
        probs = generator.encode(UTTERANCES, EMOTION_WORDS, LABELS).label_probs
        memory = generator.memory(UTTERANCES, EMOTION_WORDS, probs, torch.tensor([3, 1]))
        inputs = generator.word_embedding(torch.tensor([[4, 9, 28, EOS, 11, EOS, 6, 6, 1, EOS]]))
        if name == "Emo-S2S":
            happy = generator.utterances.label_embedding[0]  # label 1, of the newest turn
            inputs = torch.cat([happy.view(1, 1, -1), inputs], dim=1)
        states, last = torch.nn.GRU.forward(generator.utterances.gru, inputs)
    torch.testing.assert_close(memory.rows[0], states[0], **TOL)
    torch.testing.assert_close(memory.newest[0], last[0, 0], **TOL)
    assert (memory.mask[0] == 0).all()
    words = 3 + (name == "Emo-S2S")
    assert (memory.mask[1] == 0).sum() == words
    assert (memory.mask[1, words:] == STRUCK).all()


@pytest.mark.parametrize("name", ["HRED", "Emo-HRED"])
def test_without_attention_the_decoder_reads_the_newest_turn_alone(name: SystemName) -> None:
    generator = generator_of(name)
    with torch.no_grad():
        state = generator.encode(UTTERANCES, EMOTION_WORDS, LABELS)
        assert state.mask.tolist() == [[STRUCK, STRUCK, 0], [0, STRUCK, STRUCK]]
        before = generator.step(torch.tensor([[SOS]] * 2), state.hidden.unsqueeze(1), *state[:3])
        state.values[0, :2] += 1.0  # of turns that are not read
        after = generator.step(torch.tensor([[SOS]] * 2), state.hidden.unsqueeze(1), *state[:3])
    torch.testing.assert_close(after, before, **TOL)


def test_the_label_gru_of_emo_hred_starts_from_the_semantic_context() -> None:
    generator = generator_of("Emo-HRED")
    assert generator.labels is not None
    with torch.no_grad():
        probs = generator.encode(UTTERANCES, EMOTION_WORDS, LABELS).label_probs
        memory = generator.memory(UTTERANCES, EMOTION_WORDS, probs, torch.tensor([3, 1]))
        semantic = memory.rows[0, :, :8]
        states, _ = torch.nn.GRU.forward(
            generator.labels.gru,
            (probs[:1] @ generator.labels.embedding),
            semantic[2].view(1, 1, -1),
        )
    torch.testing.assert_close(memory.rows[0, :, 8:], states[0], **TOL)


@pytest.mark.parametrize("extra", [(0, 1, 0), (0, 0, 3), (0, 2, 2)])
def test_padding_changes_nothing(generator: Generator, extra: tuple[int, int, int]) -> None:
    inputs = (UTTERANCES, EMOTION_WORDS, LABELS)
    wider = (padded(UTTERANCES, *extra), padded(EMOTION_WORDS, *extra), padded(LABELS, *extra[:2]))
    logits = []
    with torch.no_grad():
        for given in (inputs, wider):
            state = generator.encode(*given)
            token = torch.tensor([[SOS]] * 2)
            logits.append(generator.step(token, state.hidden.unsqueeze(1), *state[:3]))
    torch.testing.assert_close(logits[1], logits[0], **TOL)


@pytest.fixture
def batch() -> Batch:
    turns = [
        TurnFeatures([4, 9, 28], [5, 12], 4, 0),
        TurnFeatures([11], [EOS], 1, 0),
        TurnFeatures([6, 6, 1], [7], 1, 0),  # as before it: two contexts of "b" begin alike
        TurnFeatures([8, 10], [EOS], 2, 0),
        TurnFeatures([12], [9], 1, 0),
    ]
    dialogues = [("a", turns[:4]), ("b", turns)]
    return collate([PreparedDialogue(n, ("",) * len(t), tuple(t)) for n, t in dialogues], 60)


def test_samples_of_batched_dialogues_equal_each_context_alone(
    generator: Generator, batch: Batch
) -> None:
    with torch.no_grad():
        memory = sample_memory(generator, batch)
        read, hidden = generator.readable(memory)
        keys, values, mask, _ = read.of_each()
        for s in range(batch.samples):
            row, turns = int(batch.dialogue_of[s]), int(batch.context_turns[s])
            alone = generator.encode(
                batch.utterances[row : row + 1, :turns],
                batch.emotion_words[row : row + 1, :turns],
                batch.labels[row : row + 1, :turns],
            )
            token = torch.tensor([[SOS]])
            one = slice(s, s + 1)
            torch.testing.assert_close(
                generator.step(token, hidden[one].unsqueeze(1), keys[one], values[one], mask[one]),
                generator.step(token, alone.hidden.unsqueeze(1), *alone[:3]),
                **TOL,
            )


@pytest.mark.parametrize(("name", "rows"), [("SeqGAN", 2), ("Emo-S2S", 4), ("HRED", 5)])
def test_what_contexts_have_in_common_is_read_once(
    batch: Batch, name: SystemName, rows: int
) -> None:
    memory = sample_memory(generator_of(name), batch)
    assert len(memory.rows) == rows


def test_every_parameter_gets_a_gradient(batch: Batch, generator: Generator) -> None:
    loss = generator_loss(generator, batch)
    (loss.total + recogniser_loss(generator, batch, torch.ones(1, 7))).backward()
    assert set(loss.parts()) == {"total", "response"} | (
        {"label"} if generator.label_head is not None else set()
    )
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        learns = generator.config.attention or not name.startswith("decoder.attention.")
        assert (parameter.grad.abs().max() > 0) == learns, name
