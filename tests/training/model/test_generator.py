"""The generator against the oracle, and that padding, order and company change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from empgan_rt.config import GeneratorConfig
from empgan_rt.graph_spec import EOS, SOS, STRUCK, UNKNOWN_LABEL
from empgan_rt.text.featurizer import TurnFeatures
from empgan_training.algorithms.mle import generator_loss, recogniser_loss, sample_memory
from empgan_training.data.batch import Batch, collate
from empgan_training.data.prepared import PreparedDialogue
from empgan_training.model.attention import Readable
from empgan_training.model.encoders import lengths_of
from empgan_training.model.generator import EncoderState, Generator
from support.oracle import Oracle, OracleTurn
from support.small_data import SMALL_SIZES, small_generator

CONFIG = GeneratorConfig(vocabulary_size=29, emotion_vocabulary_size=13, **SMALL_SIZES)
TOL = {"rtol": 1e-9, "atol": 1e-9}

DIALOGUES = [
    [
        OracleTurn([4, 9, 28, 7], [5, 12], 4),
        OracleTurn([11], [EOS], None),
        OracleTurn([6, 6, 1], [1, 7, 7], 1),
    ],
    [OracleTurn([20, 21, 22, 23, 24, 25], [EOS], None)],
    [OracleTurn([5, 4], [4], 7), OracleTurn([8, 19, 3], [9, 10], 2)],
    [
        OracleTurn([27], [6], 3),
        OracleTurn([26, 14], [EOS], 5),
        OracleTurn([1], [EOS], 6),
        OracleTurn([10, 12, 13], [11], None),
        OracleTurn([15, 16], [8, 5], None),
    ],
]


@pytest.fixture(scope="module")
def generator() -> Generator:
    return small_generator(CONFIG, seed=3).double().eval()


@pytest.fixture(scope="module")
def oracle(generator: Generator) -> Oracle:
    return Oracle({name: p.detach().numpy() for name, p in generator.named_parameters()})


def arrays(
    dialogues: Sequence[Sequence[OracleTurn]], extra: tuple[int, int, int] = (0, 0, 0)
) -> tuple[Tensor, Tensor, Tensor]:
    """Return padded utterances, emotion words and labels, with extra columns of M, L and N."""
    turns = max(map(len, dialogues)) + extra[0]
    words = max(len(t.words) for d in dialogues for t in d) + extra[1]
    emotions = max(len(t.emotion_words) for d in dialogues for t in d) + extra[2]
    u = torch.zeros(len(dialogues), turns, words, dtype=torch.int32)
    e = torch.zeros(len(dialogues), turns, emotions, dtype=torch.int32)
    labels = torch.zeros(len(dialogues), turns, dtype=torch.int32)
    for b, dialogue in enumerate(dialogues):
        for m, turn in enumerate(dialogue):
            u[b, m, : len(turn.words)] = torch.tensor(turn.words)
            e[b, m, : len(turn.emotion_words)] = torch.tensor(turn.emotion_words)
            labels[b, m] = UNKNOWN_LABEL if turn.label is None else turn.label
    return u, e, labels


def encode(generator: Generator, *args: Any) -> EncoderState:
    with torch.no_grad():
        return generator.encode(*arrays(*args))


def close(ours: Tensor, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours.numpy(), theirs, **TOL)


def test_encoder_and_steps_equal_the_oracle(generator: Generator, oracle: Oracle) -> None:
    state = encode(generator, DIALOGUES)
    tokens = torch.tensor([[SOS, 9, 1], [28, EOS, 4], [5, 5, 5], [0, 7, 20]]).int()  # (B, T)
    w_s = oracle.p["decoder.attention.memory_projection.weight"]
    w_og = oracle.p["decoder.output_memory.weight"]
    memories = [oracle.encode(dialogue) for dialogue in DIALOGUES]
    for b, (dialogue, memory) in enumerate(zip(DIALOGUES, memories, strict=True)):
        turns = len(dialogue)
        close(state.keys[b, :turns], memory.g @ w_s.T)
        close(state.values[b, :turns], memory.g @ w_og.T)
        close(state.label_probs[b, :turns], memory.label_probs)
        close(state.hidden[b], memory.d0)
        assert state.mask[b].tolist() == [0.0] * turns + [STRUCK] * (5 - turns)

    hidden = state.hidden.unsqueeze(1)
    theirs = [memory.d0 for memory in memories]
    for t in range(tokens.shape[1]):
        with torch.no_grad():
            hidden, logits = generator.step(
                tokens[:, t : t + 1], hidden, state.keys, state.values, state.mask
            )
        for b, memory in enumerate(memories):
            theirs[b], expected, beta = oracle.step(memory, theirs[b], int(tokens[b, t]))
            close(hidden[b, 0], theirs[b])
            close(logits[b, 0], expected)
            assert beta.sum() == pytest.approx(1.0)


def test_the_oracle_is_not_trivial(oracle: Oracle) -> None:
    """Attention picks, gates move and words differ: equality above says something."""
    memory = oracle.encode(DIALOGUES[3])
    d, logits, beta = oracle.step(memory, memory.d0, SOS)
    assert beta.max() - beta.min() > 0.05
    assert np.abs(d - memory.d0).max() > 0.1
    assert logits.max() - logits.min() > 1.0


def test_beams_are_independent_rows(generator: Generator) -> None:
    state = encode(generator, DIALOGUES)
    tokens = torch.tensor([[4, 9, 1]] * 4)
    hidden = torch.randn(4, 3, 8, dtype=torch.float64, generator=torch.manual_seed(0))
    memory = (state.keys, state.values, state.mask)
    with torch.no_grad():
        together = generator.step(tokens, hidden, *memory)
        for k in range(3):
            alone = generator.step(tokens[:, k : k + 1], hidden[:, k : k + 1], *memory)
            for a, b in zip(together, alone, strict=True):
                torch.testing.assert_close(a[:, k : k + 1], b, **TOL)


@pytest.mark.parametrize("gradients", [False, True])
def test_teacher_forcing_equals_repeated_steps(generator: Generator, gradients: bool) -> None:
    state = encode(generator, DIALOGUES)
    replies = torch.tensor([[SOS, 9, 1, 5], [SOS, 4, 0, 0], [SOS, 8, 8, 0], [SOS, 0, 0, 0]])
    lengths = lengths_of(replies)
    memory = (state.keys, state.values, state.mask)
    with torch.set_grad_enabled(gradients):  # two implementations of the GRU
        output = generator.decoder(
            generator.word_embedding(replies), lengths, state.hidden, Readable(*memory)
        )
        logits = generator.decoder.vocabulary(output)
    hidden = state.hidden.unsqueeze(1)
    for t in range(4):
        with torch.no_grad():
            hidden, step = generator.step(replies[:, t : t + 1], hidden, *memory)
        live = lengths > t
        torch.testing.assert_close(logits[live, t].detach(), step[live, 0], **TOL)


@pytest.mark.parametrize("extra", [(1, 0, 0), (0, 3, 0), (0, 0, 2), (4, 5, 6)])
def test_padding_changes_nothing(generator: Generator, extra: tuple[int, int, int]) -> None:
    plain, padded = encode(generator, DIALOGUES), encode(generator, DIALOGUES, extra)
    torch.testing.assert_close(padded.hidden, plain.hidden, **TOL)
    _same_memory(plain, padded, [len(d) for d in DIALOGUES])
    tokens = torch.full((4, 1), SOS)
    with torch.no_grad():
        a = generator.step(tokens, plain.hidden.unsqueeze(1), *plain[:3])
        b = generator.step(tokens, padded.hidden.unsqueeze(1), *padded[:3])
    torch.testing.assert_close(b, a, **TOL)


def _same_memory(a: EncoderState, b: EncoderState, turns: list[int]) -> None:
    for row, count in enumerate(turns):
        for name in ("keys", "values", "mask", "label_probs"):
            ours, theirs = getattr(a, name), getattr(b, name)
            torch.testing.assert_close(theirs[row, :count], ours[row, :count], **TOL)
        assert (b.mask[row, count:] == STRUCK).all()


def test_order_and_company_change_nothing(generator: Generator) -> None:
    together = encode(generator, DIALOGUES)
    order = [2, 0, 3, 1]
    shuffled = encode(generator, [DIALOGUES[i] for i in order])
    for row, i in enumerate(order):
        count = len(DIALOGUES[i])
        alone = encode(generator, [DIALOGUES[i]])
        for name in ("keys", "values", "label_probs"):
            expected = getattr(together, name)[i, :count]
            torch.testing.assert_close(getattr(shuffled, name)[row, :count], expected, **TOL)
            torch.testing.assert_close(getattr(alone, name)[0], expected, **TOL)
        torch.testing.assert_close(shuffled.hidden[row], together.hidden[i], **TOL)
        torch.testing.assert_close(alone.hidden[0], together.hidden[i], **TOL)


def test_a_given_label_is_one_hot_and_an_unknown_one_is_the_recognisers(
    generator: Generator,
) -> None:
    u, e, _ = arrays(DIALOGUES)
    labels = torch.tensor([[1, 8, 7, 0, 0]] * 4, dtype=torch.int32)
    with torch.no_grad():
        probs = generator.encode(u, e, labels).label_probs
        soft = torch.softmax(generator.recogniser(u), -1)
    assert probs[:, 0].tolist() == [[1.0, 0, 0, 0, 0, 0, 0]] * 4
    assert probs[:, 2].tolist() == [[0, 0, 0, 0, 0, 0, 1.0]] * 4
    torch.testing.assert_close(probs[:, 1], soft[:, 1])
    assert (probs[:, 3:] == 0).all()  # padding carries no label
    assert soft.max() < 0.999


def test_labels_change_the_memory_only_through_the_label_state(generator: Generator) -> None:
    angry = [[OracleTurn([4, 5], [4], 2), OracleTurn([6], [EOS], 1)]]
    happy = [[OracleTurn([4, 5], [4], 5), OracleTurn([6], [EOS], 1)]]
    states = []
    for dialogue in (angry, happy):
        u, e, labels = arrays(dialogue)
        with torch.no_grad():
            probs = generator.encode(u, e, labels).label_probs
            memory = generator.memory(u, e, probs, torch.tensor([2]))
        states.append(memory.rows)
    width = CONFIG.hidden_size
    torch.testing.assert_close(states[0][..., : 2 * width], states[1][..., : 2 * width])
    assert (states[0][..., 2 * width :] - states[1][..., 2 * width :]).abs().max() > 1e-3


def test_the_label_gru_starts_from_the_emotion_context_of_the_last_valid_turn(
    generator: Generator,
) -> None:
    u, e, labels = arrays(DIALOGUES)
    turns = [len(d) for d in DIALOGUES]
    with torch.no_grad():
        probs = generator.encode(u, e, labels).label_probs
        memory = generator.memory(u, e, probs, torch.tensor(turns))
    width = CONFIG.hidden_size
    emotional = memory.rows[..., width : 2 * width]
    assert generator.labels is not None
    for b, count in enumerate(turns):
        embedded = probs[b, :count] @ generator.labels.embedding
        with torch.no_grad():
            states, _ = torch.nn.GRU.forward(
                generator.labels.gru, embedded.unsqueeze(0), emotional[b, count - 1].view(1, 1, -1)
            )
        torch.testing.assert_close(memory.rows[b, :count, 2 * width :], states[0], **TOL)
        torch.testing.assert_close(memory.newest[b], memory.rows[b, count - 1], **TOL)


def prepared(name: str, turns: Sequence[OracleTurn]) -> PreparedDialogue:
    features = [
        TurnFeatures(list(t.words), list(t.emotion_words), t.label or UNKNOWN_LABEL, 0)
        for t in turns
    ]
    return PreparedDialogue(name, ("",) * len(turns), tuple(features))


LABELLED = [
    [OracleTurn(t.words, t.emotion_words, t.label or 1 + len(t.words)) for t in dialogue]
    for dialogue in (DIALOGUES[0], DIALOGUES[3])
]


@pytest.fixture
def batch() -> Batch:
    return collate([prepared(str(i), d) for i, d in enumerate(LABELLED)], max_response=60)


@pytest.mark.parametrize("gradients", [False, True])
def test_samples_of_batched_dialogues_equal_each_context_alone(
    generator: Generator, oracle: Oracle, batch: Batch, gradients: bool
) -> None:
    with torch.set_grad_enabled(gradients):
        memory = sample_memory(generator, batch)
        keys, values, hidden = generator.decoder.prepare(memory.rows, memory.newest)
    assert batch.samples == 4
    for s in range(batch.samples):
        count = int(batch.context_turns[s])
        context = LABELLED[int(batch.dialogue_of[s])][:count]
        expected = oracle.encode(context)
        close(memory.rows[s, :count].detach(), expected.g)
        close(memory.newest[s].detach(), expected.g[-1])
        close(hidden[s].detach(), expected.d0)
        assert memory.emotional is not None
        close(memory.emotional[s].detach(), expected.emotional)
        alone = encode(generator, [context])
        torch.testing.assert_close(keys[s, :count].detach(), alone.keys[0], **TOL)
        torch.testing.assert_close(values[s, :count].detach(), alone.values[0], **TOL)
        assert (memory.mask[s, count:] == STRUCK).all()
        assert (memory.mask[s, :count] == 0).all()


@pytest.mark.parametrize("gradients", [False, True])
def test_recogniser_equals_the_oracle(
    generator: Generator, oracle: Oracle, gradients: bool
) -> None:
    u, _, _ = arrays(DIALOGUES, (1, 2, 0))
    with torch.set_grad_enabled(gradients):
        probs = torch.softmax(generator.recogniser(u), -1).detach()
    for b, dialogue in enumerate(DIALOGUES):
        close(probs[b, : len(dialogue)], np.array(oracle.recognise([t.words for t in dialogue])))


def test_every_parameter_gets_a_gradient(batch: Batch) -> None:
    generator = small_generator(CONFIG, seed=5).train()
    loss = generator_loss(generator, batch).total
    (loss + recogniser_loss(generator, batch, torch.ones(1, 7))).backward()
    for name, parameter in generator.named_parameters():
        gradient = parameter.grad
        assert gradient is not None, name
        assert torch.isfinite(gradient).all(), name
        assert gradient.abs().max() > 0, name
    for embedding in (
        generator.word_embedding,
        generator.emotion_embedding,
        generator.recogniser.embedding,
    ):
        assert embedding.weight.grad is not None
        assert (embedding.weight.grad[0] == 0).all()  # padding, the only exception


def test_each_loss_reaches_only_its_own_parameters(batch: Batch) -> None:
    generator = small_generator(CONFIG, seed=5).train()
    recogniser_loss(generator, batch, torch.ones(1, 7)).backward()
    reached = {name for name, p in generator.named_parameters() if p.grad is not None}
    assert reached == {f"recogniser.{name}" for name, _ in generator.recogniser.named_parameters()}
    generator.zero_grad()
    generator_loss(generator, batch).total.backward()
    reached = {name for name, p in generator.named_parameters() if p.grad is not None}
    assert reached == {
        name for name, _ in generator.named_parameters() if not name.startswith("recogniser.")
    }


def test_new_weights_leave_padding_at_zero() -> None:
    generator = Generator(CONFIG)
    assert (generator.word_embedding.weight[0] == 0).all()
    assert (generator.emotion_embedding.weight[0] == 0).all()


def test_dropout_acts_in_training_alone(batch: Batch) -> None:
    torch.manual_seed(0)
    generator = Generator(CONFIG, dropout=0.4)

    def losses() -> set[float]:
        with torch.no_grad():
            return {float(generator_loss(generator, batch).total) for _ in range(3)}

    generator.eval()
    assert len(losses()) == 1
    generator.train()
    assert len(losses()) == 3
