"""Words of the newest turns as memory positions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from empgan_rt.config import GeneratorConfig
from empgan_rt.errors import InputError
from empgan_rt.graph_spec import STRUCK
from empgan_training.model.encoders import lengths_of
from empgan_training.model.generator import EncoderState, Generator
from support.small_data import SMALL_SIZES, small_generator

WORDS = 30
# three turns of 2, 4 and 3 words; two turns of 5 and 1
UTTERANCES = torch.tensor(
    [
        [[4, 5, 0, 0, 0], [6, 7, 8, 9, 0], [10, 11, 12, 0, 0]],
        [[13, 14, 15, 16, 17], [18, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
    ]
)
EMOTION_WORDS = torch.tensor([[[3, 0], [5, 3], [3, 0]], [[4, 3], [3, 0], [0, 0]]])
LABELS = torch.tensor([[1, 2, 7], [3, 1, 0]])


def make(**changes: Any) -> Generator:
    sizes = {**SMALL_SIZES, **changes}
    return small_generator(GeneratorConfig(WORDS, 10, **sizes))


def encoded(generator: Generator, row: int | slice = slice(None)) -> EncoderState:
    rows = slice(row, row + 1) if isinstance(row, int) else row
    with torch.no_grad():
        return generator.encode(UTTERANCES[rows], EMOTION_WORDS[rows], LABELS[rows])


@pytest.mark.parametrize("word_turns", [1, 2, 3])
def test_positions_are_the_turns_and_behind_them_the_words_of_the_newest(word_turns: int) -> None:
    state = encoded(make(word_turns=word_turns))
    words = [[3, 4, 2], [1, 5]]  # of each turn, newest first
    turns = [3, 2]
    read = [(row == 0).sum().item() for row in state.mask]
    assert read == [turns[i] + sum(words[i][:word_turns]) for i in range(2)]
    for row, count in zip(state.mask, read, strict=True):
        assert row[:count].eq(0).all()
        assert row[count:].eq(STRUCK).all()


def test_a_position_of_a_word_is_the_state_that_its_turn_had_there() -> None:
    generator = make(word_turns=2)
    newest = generator.newest_words
    assert newest is not None
    state = encoded(generator)
    with torch.no_grad():
        lengths = lengths_of(UTTERANCES)
        states = generator.utterances.words(generator.word_embedding(UTTERANCES), lengths)
        last_word = states[0, 2, 2] + newest.recency[0]
        first_of_the_turn_before = states[0, 1, 0] + newest.recency[1]
        assert torch.allclose(state.keys[0, 3 + 2], newest.key_projection(last_word), atol=1e-6)
        expected = newest.value_projection(first_of_the_turn_before)
        assert torch.allclose(state.values[0, 3 + 3], expected, atol=1e-6)


def test_a_dialogue_reads_the_same_alone_as_beside_a_longer_one() -> None:
    generator = make(word_turns=2)
    together = encoded(generator)
    for row in range(2):
        alone = encoded(generator, row)
        count = int((alone.mask[0] == 0).sum())
        assert torch.equal(together.mask[row][:count], alone.mask[0][:count])
        for name in ("keys", "values"):
            pair = getattr(together, name)[row, :count], getattr(alone, name)[0, :count]
            assert torch.allclose(*pair, atol=1e-6)


def test_training_reads_prefixes_of_a_dialogue_as_the_runtime_reads_them_whole() -> None:
    generator = make(word_turns=2)
    probs = torch.nn.functional.one_hot(LABELS, 8)[..., 1:].float()
    turns, of = torch.tensor([1, 3, 2, 2]), torch.tensor([0, 0, 1, 0])
    with torch.no_grad():
        memory = generator.memory(UTTERANCES, EMOTION_WORDS, probs, turns, of)
        read, hidden = generator.readable(memory)
    for i, (count, dialogue) in enumerate(zip(turns.tolist(), of.tolist(), strict=True)):
        rows = (slice(dialogue, dialogue + 1), slice(count))
        with torch.no_grad():
            alone = generator.encode(UTTERANCES[rows], EMOTION_WORDS[rows], LABELS[rows])
        there = int((alone.mask[0] == 0).sum())
        assert int((read.mask[i] == 0).sum()) == there
        assert torch.allclose(read.keys[i, :there], alone.keys[0, :there], atol=1e-6)
        assert torch.allclose(read.values[i, :there], alone.values[0, :there], atol=1e-6)
        assert torch.allclose(hidden[i], alone.hidden[0], atol=1e-6)


def test_every_part_of_it_is_trained() -> None:
    generator = make(word_turns=2)
    probs = torch.nn.functional.one_hot(LABELS, 8)[..., 1:].float()
    memory = generator.memory(UTTERANCES, EMOTION_WORDS, probs, torch.tensor([3, 2]))
    read, _ = generator.readable(memory)
    (read.keys.square().sum() + read.values.square().sum()).backward()
    assert generator.newest_words is not None
    for name, parameter in generator.newest_words.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_a_tied_vocabulary_has_the_embeddings_weights_and_its_gradient_goes_there() -> None:
    generator = make(tied=True, embedding_size=SMALL_SIZES["hidden_size"])
    assert "decoder.vocabulary.weight" not in generator.state_dict()
    vocabulary = generator.decoder.vocabulary
    assert vocabulary.weight is generator.word_embedding.weight
    output: Tensor = torch.randn(2, SMALL_SIZES["hidden_size"])
    expected = output @ generator.word_embedding.weight.T + vocabulary.bias
    assert torch.allclose(vocabulary(output), expected, atol=1e-6)
    vocabulary(output)[:, 9].sum().backward()
    assert generator.word_embedding.weight.grad is not None
    assert torch.allclose(generator.word_embedding.weight.grad[9], output.sum(0))


@pytest.mark.parametrize(
    "changes",
    [
        {"word_turns": 9},
        {"word_turns": -1},
        {"word_turns": 1, "attention": False},
        {"word_turns": 1, "context": "flat", "streams": ("utterances",)},
        {"tied": True, "embedding_size": 6, "hidden_size": 8},
        {"tied": 2},
    ],
)
def test_shapes_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        GeneratorConfig(WORDS, 10, **changes)
    assert caught.value.hint
