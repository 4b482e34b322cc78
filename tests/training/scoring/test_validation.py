"""Teacher-forced scores against plain loops, and the recogniser's scores by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from empgan_rt.config import Limits
from empgan_rt.graph_spec import EOS
from empgan_training.checkpoint import Checkpoint
from empgan_training.data.prepared import PreparedData, PreparedDialogue, all_samples
from empgan_training.model.generator import Generator
from empgan_training.scoring.validation import recogniser_scores, teacher_forced
from support.oracle import Oracle, OracleTurn
from support.small_data import prepare_own, small_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("validation")
    prepare_own(folder, 150)
    return folder


@pytest.fixture(scope="module")
def dialogues(folder: Path) -> list[PreparedDialogue]:
    return PreparedData(prepare_own(folder), Limits()).split("validation")


@pytest.fixture(scope="module")
def generator(folder: Path) -> Generator:
    return Checkpoint.load(small_checkpoint(folder)).generator().double()


@pytest.fixture(scope="module")
def oracle(generator: Generator) -> Oracle:
    return Oracle({name: p.detach().numpy() for name, p in generator.named_parameters()})


def test_perplexity_equals_a_plain_loop(
    generator: Generator, oracle: Oracle, dialogues: list[PreparedDialogue]
) -> None:
    scores = teacher_forced(generator, dialogues, max_response=60)
    nats: list[float] = []
    labels: list[float] = []
    for sample in all_samples(dialogues):
        turns = [OracleTurn(t.token_ids, t.emotion_ids, t.label) for t in sample.dialogue.turns]
        memory = oracle.encode(turns[: sample.response])
        response = turns[sample.response]
        nats += oracle.response_nats(memory, response.words)
        assert response.label is not None
        labels.append(oracle.label_nats(memory, response.label))
    assert scores.tokens == len(nats) > 300
    assert scores.perplexity == pytest.approx(math.exp(sum(nats) / len(nats)), rel=1e-5)
    assert scores.label == pytest.approx(sum(labels) / len(labels), rel=1e-5)


def test_emotion_words_of_several_batches_equal_a_plain_loop(
    generator: Generator, oracle: Oracle, dialogues: list[PreparedDialogue]
) -> None:
    few = dialogues * 2
    assert len(all_samples(few)) > 64  # the validation's batch size; the last one is smaller
    nats: list[float] = []
    for sample in all_samples(few):
        turns = [OracleTurn(t.token_ids, t.emotion_ids, t.label) for t in sample.dialogue.turns]
        memory = oracle.encode(turns[: sample.response])
        words = [i for i in turns[sample.response].emotion_words if i != EOS]
        nats += oracle.emotion_nats(memory, words)
    scores = teacher_forced(generator, few, max_response=60)
    assert scores.emotion_words == pytest.approx(sum(nats) / len(nats), rel=1e-5)


def test_perplexity_does_not_depend_on_the_order(
    generator: Generator, dialogues: list[PreparedDialogue]
) -> None:
    once = teacher_forced(generator, dialogues, 60)
    again = teacher_forced(generator, dialogues[::-1], 60)
    assert again.perplexity == pytest.approx(once.perplexity, rel=1e-6)
    assert again.tokens == once.tokens


def test_scores_are_taken_without_dropout_and_leave_the_weights(
    folder: Path, dialogues: list[PreparedDialogue]
) -> None:
    generator = Checkpoint.load(small_checkpoint(folder)).generator(dropout=0.5).train()
    before = {name: t.clone() for name, t in generator.state_dict().items()}
    assert teacher_forced(generator, dialogues, 60) == teacher_forced(generator, dialogues, 60)
    generator.train()
    assert recogniser_scores(generator, dialogues) == recogniser_scores(generator, dialogues)
    for name, tensor in generator.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(p.grad is None for p in generator.parameters())


def test_the_recogniser_is_scored_on_every_turn_that_a_context_holds(
    generator: Generator, oracle: Oracle, dialogues: list[PreparedDialogue]
) -> None:
    right = total = 0
    for dialogue in dialogues:
        turns = dialogue.turns[:-2]
        probs = oracle.recognise([turn.token_ids for turn in turns])
        right += sum(int(p.argmax()) + 1 == t.label for p, t in zip(probs, turns, strict=True))
        total += len(turns)
    scores = recogniser_scores(generator, dialogues)
    assert scores.n == total
    assert scores.accuracy == pytest.approx(100 * right / total)
