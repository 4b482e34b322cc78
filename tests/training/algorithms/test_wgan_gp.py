"""Wasserstein critics: the penalty, who learns from what, and that training goes the right way."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from empgan_rt.config import Limits
from empgan_rt.graph_spec import EOS
from empgan_rt.text.featurizer import TurnFeatures
from empgan_training.algorithms.adversary import memory_without_dropout
from empgan_training.algorithms.gan import RewardAdversary, advantage
from empgan_training.algorithms.mle import Losses
from empgan_training.algorithms.wgan_gp import (
    WassersteinAdversary,
    gradient_penalty,
)
from empgan_training.config import AdversarialConfig, CriticLoss, Precision, Relaxation
from empgan_training.data.batch import Batch, collate
from empgan_training.data.prepared import PreparedData, PreparedDialogue
from empgan_training.model.critic import Critic, States
from empgan_training.model.generator import Generator
from empgan_training.model.words import EmotionWordView, Words
from empgan_training.run.precision import mixed_precision
from empgan_training.systems import SYSTEMS
from support.small_data import SMALL_SIZES, prepare_own, small_generator

pytestmark = pytest.mark.long

CONFIG = AdversarialConfig(max_length=8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    folder: Path = tmp_path_factory.mktemp("wgan")
    return PreparedData(prepare_own(folder, 60), Limits())


@pytest.fixture(scope="module")
def batch(data: PreparedData) -> Batch:
    return collate(data.split("train")[:6], 8)


@pytest.fixture
def generator(data: PreparedData) -> Generator:
    config = SYSTEMS["EmpGAN"].generator_config(
        vocabulary_size=len(data.featurizer.tokenizer.vocabulary),
        emotion_vocabulary_size=len(data.featurizer.lexicon.vocabulary),
        **SMALL_SIZES,
    )
    return small_generator(config, std=0.3)


def adversary(
    data: PreparedData, generator: Generator, *, feedback: bool = True, **changes: Any
) -> WassersteinAdversary:
    torch.manual_seed(0)
    sizes = generator.config
    return WassersteinAdversary(
        {
            "semantic": Critic(sizes.vocabulary_size, 6, 16, sizes.memory_size),
            "emotional": Critic(sizes.emotion_vocabulary_size, 6, 16, sizes.memory_size),
        },
        EmotionWordView(data.featurizer),
        msgspec.structs.replace(CONFIG, **changes),
        feedback=feedback,
    )


class Linear(Critic):
    """D = 3 times the sum of all states."""

    def __init__(self) -> None:
        super().__init__(5, 2, 4, 2)

    def forward(self, response: States, feedback: States | None, context: Tensor) -> Tensor:
        return 3.0 * response.values.sum((1, 2))


def test_the_penalty_by_hand() -> None:
    """Slope 3 over 5 steps of 4 features: the norm is 3 * sqrt(20) wherever it is taken."""
    real = States(torch.rand(2, 5, 4), torch.tensor([5, 3]))
    fake = States(torch.rand(2, 3, 4), torch.tensor([2, 3]))
    penalty = gradient_penalty(Linear(), real, fake, None, torch.zeros(2, 2))
    assert float(penalty.detach()) == pytest.approx((3 * 20**0.5 - 1) ** 2, rel=1e-5)


def test_the_penalty_alone_trains_the_critic_above_its_lstm() -> None:
    torch.manual_seed(0)
    critic = Critic(9, 6, 32, 10)
    real = critic.read(Words(torch.tensor([[4, 5, 3], [6, 3, 0]])))
    fake = critic.read(Words(torch.tensor([[7, 3], [8, 3]])))
    feedback = critic.read(Words(torch.tensor([[5, 3, 0], [4, 4, 3]])))
    gradient_penalty(critic, real, fake, feedback, torch.rand(2, 10)).backward()
    reached = {n for n, p in critic.named_parameters() if p.grad is not None and p.grad.any()}
    assert {f"convolutions.{i}.weight" for i in range(4)} | {"score.weight"} <= reached
    assert not {n for n in reached if n.startswith(("lstm", "embedding"))}


def test_the_critics_loss_is_eq_15(data: PreparedData, generator: Generator, batch: Batch) -> None:
    ours = adversary(data, generator)
    losses = numbers(ours.critic_losses(generator, batch))
    expected = sum(
        10.0 * losses[f"{name}_penalty"] - losses[f"{name}_distance"]
        for name in ("semantic", "emotional")
    )
    assert losses["total"] == pytest.approx(expected, rel=1e-5)


def score_by_length(ours: WassersteinAdversary, patch: pytest.MonkeyPatch) -> list[Tensor]:
    """Make D the length of what is scored; return where each critic's scores will be added."""
    scored: list[Tensor] = []

    def by_length(response: States, feedback: States | None, context: Tensor) -> Tensor:
        scored.append(response.lengths.float())
        return response.values.sum((1, 2)) * 0 + scored[-1]

    for critic in ours.critic_of.values():
        patch.setattr(critic, "forward", by_length)
    return scored


def numbers(losses: Losses) -> dict[str, float]:
    return {name: float(loss.detach()) for name, loss in losses.items()}


def test_ranked_counts_pairs_and_half_of_ties(
    data: PreparedData, generator: Generator, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = adversary(data, generator)
    scored = score_by_length(ours, monkeypatch)
    found = numbers(ours.critic_losses(generator, batch))
    for name, (on_real, on_fake, _) in zip(ours.critic_of, (scored[:3], scored[3:]), strict=True):
        more, equal = (on_real > on_fake).sum(), (on_real == on_fake).sum()
        by_hand = float(more + 0.5 * equal) / len(on_real)
        assert found[f"{name}_ranked"] == pytest.approx(by_hand)
        assert 0 < found[f"{name}_ranked"] < 1


def test_relativistic_losses_compare_a_reply_with_the_real_one(
    data: PreparedData, generator: Generator, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = adversary(data, generator, critic_loss="relativistic")
    scored = score_by_length(ours, monkeypatch)
    total = numbers(ours.critic_losses(generator, batch))["total"]
    expected = sum(
        float(functional.softplus(on_fake - on_real).mean()) + 10.0  # the penalty of slope 0
        for on_real, on_fake, _ in (scored[:3], scored[3:])
    )
    assert total == pytest.approx(expected, rel=1e-5)
    scored.clear()
    found = numbers(ours.generator_losses(generator, batch))
    for name, (on_fake, on_real) in zip(ours.critic_of, (scored[:2], scored[2:]), strict=True):
        by_hand = float(functional.softplus(on_real - on_fake).mean())
        assert found[name] == pytest.approx(by_hand, rel=1e-5)
    assert found["total"] == pytest.approx(found["semantic"] + found["emotional"], rel=1e-5)


def test_critics_that_tell_nothing_rank_half_and_cost_log_2(
    data: PreparedData, generator: Generator, batch: Batch
) -> None:
    ours = adversary(data, generator, critic_loss="relativistic")
    for critic in ours.critic_of.values():
        torch.nn.init.zeros_(critic.score.weight)
    found = numbers(ours.critic_losses(generator, batch))
    assert found["semantic_ranked"] == found["emotional_ranked"] == 0.5
    assert found["total"] == pytest.approx(2 * (math.log(2) + 10.0), rel=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("loss", ["wasserstein", "relativistic"])
@pytest.mark.parametrize("relaxation", ["straight_through", "soft", "reinforce"])
def test_each_side_trains_itself_alone(
    data: PreparedData,
    generator: Generator,
    batch: Batch,
    relaxation: Relaxation,
    loss: CriticLoss,
    precision: Precision,
) -> None:
    ours = adversary(data, generator, relaxation=relaxation, critic_loss=loss)
    with mixed_precision(torch.device("cpu"), precision):
        critic_loss = ours.critic_losses(generator, batch)["total"]
    assert critic_loss.dtype == torch.float32
    critic_loss.backward()
    assert all(p.grad is None for p in generator.parameters())
    assert all(p.grad is not None for p in ours.critics.parameters())
    learnt = [p.grad for p in ours.critics.parameters()]
    before = [g.clone() for g in learnt if g is not None]

    with mixed_precision(torch.device("cpu"), precision):
        generator_loss = ours.generator_losses(generator, batch)["total"]
    parameters = dict(generator.named_parameters())
    gradients = torch.autograd.grad(generator_loss, [*parameters.values()], allow_unused=True)
    heads = ("recogniser.", "emotion_decoder.", "label_head.")
    for name, gradient in zip(parameters, gradients, strict=True):
        learns = gradient is not None and bool(gradient.abs().max() > 0)
        assert learns != name.startswith(heads), name
    after = [p.grad for p in ours.critics.parameters() if p.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_feedback_matters_only_where_the_critics_see_it(
    data: PreparedData, generator: Generator, batch: Batch
) -> None:
    other = dataclasses.replace(batch, feedback=batch.feedback.roll(1, 0))
    for feedback in (True, False):
        ours = adversary(data, generator, feedback=feedback)
        found = []
        for given in (batch, other):
            torch.manual_seed(1)
            found.append(float(ours.critic_losses(generator, given)["total"].detach()))
        assert (found[0] != found[1]) == feedback


@pytest.mark.slow
def test_a_critic_learns_to_tell_shuffled_replies() -> None:
    """Replies of four topics, whose context tells the topic; fakes are replies to other topics."""
    torch.manual_seed(0)
    critic = Critic(24, 8, 16, 4)
    optimiser = torch.optim.Adam(critic.parameters(), 0.005, (0.5, 0.9))

    def draw() -> tuple[Tensor, Tensor, Tensor]:
        topic = torch.randint(4, (32,))
        other = (topic + torch.randint(1, 4, (32,))) % 4
        real, fake = (
            torch.cat(
                [4 + 5 * t.unsqueeze(1) + torch.randint(5, (32, 4)), torch.full((32, 1), EOS)], 1
            )
            for t in (topic, other)
        )
        return real, fake, torch.nn.functional.one_hot(topic, 4).float()

    def accuracy() -> float:
        with torch.no_grad():
            real, fake, context = draw()
            scores = [critic(critic.read(Words(ids)), None, context) for ids in (real, fake)]
        return float((scores[0] > scores[1]).float().mean())

    assert 0.25 < accuracy() < 0.75
    for _ in range(250):
        real, fake, context = draw()
        states = [critic.read(Words(ids)) for ids in (real, fake)]
        on_real, on_fake = (critic(s, None, context) for s in states)
        penalty = gradient_penalty(critic, states[0], states[1], None, context)
        optimiser.zero_grad()
        (on_fake.mean() - on_real.mean() + 10 * penalty).backward()
        optimiser.step()
    assert accuracy() > 0.9


def small_batch() -> Batch:
    """Sixteen dialogues whose response is always the words 7 8."""
    turns = (
        TurnFeatures([4, 9], [EOS], 1, 0),
        TurnFeatures([7, 8], [EOS], 1, 0),
        TurnFeatures([5], [EOS], 1, 0),
    )
    return collate([PreparedDialogue(str(i), ("",) * 3, turns) for i in range(16)], 4)


def preference(generator: Generator, batch: Batch) -> float:
    """Return P of "7 8" as the two first words."""
    with torch.no_grad():
        memory = memory_without_dropout(generator, batch)
        from empgan_training.algorithms.replies import token_log_probs

        log_probs = token_log_probs(generator, memory, batch.response_out, 4)
    return float(log_probs[0, :2].sum().exp())


@pytest.mark.parametrize(
    "algorithm",
    [
        "wasserstein",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("relativistic", "gan")),
    ],
)
def test_training_moves_the_generator_towards_a_toy_distribution(
    data: PreparedData, algorithm: CriticLoss | Literal["gan"]
) -> None:
    torch.manual_seed(1)
    sizes = {"vocabulary_size": 12, "emotion_vocabulary_size": 8, **SMALL_SIZES}
    generator = small_generator(SYSTEMS["HRED"].generator_config(**sizes), std=0.2)
    batch = small_batch()
    critic = Critic(12, 8, 16, generator.config.memory_size)
    ours: WassersteinAdversary | RewardAdversary
    if algorithm == "gan":
        ours = RewardAdversary(critic, 4)
    else:
        config = AdversarialConfig(critic_loss=algorithm, max_length=4)
        view = EmotionWordView(data.featurizer)
        ours = WassersteinAdversary({"semantic": critic}, view, config, feedback=False)
    learners = list(generator.decoder.parameters())
    optimisers = [
        torch.optim.Adam(ours.critics.parameters(), 0.01, (0.5, 0.9)),
        torch.optim.Adam(learners, 0.02, (0.5, 0.9)),
    ]
    before = preference(generator, batch)
    for round_ in range(180):
        side = int(round_ % 3 == 2)
        losses = (ours.generator_losses if side else ours.critic_losses)(generator, batch)
        parameters = learners if side else list(ours.critics.parameters())
        gradients = torch.autograd.grad(losses["total"], parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimisers[side].step()
    assert before < 0.05
    assert preference(generator, batch) > 0.3


def test_an_advantage_leaves_each_reply_out_of_its_own_baseline() -> None:
    found = advantage(torch.tensor([1.0, 2.0, 6.0]))
    assert found.tolist() == pytest.approx([1 - 4.0, 2 - 3.5, 6 - 1.5])
    assert advantage(torch.tensor([3.0])).tolist() == [0.0]
