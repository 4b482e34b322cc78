"""SeqGAN's adversary: rewards by hand, whom gradients reach, and what training does to a toy."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from empgan_rt.graph_spec import EOS, PAD
from empgan_rt.text.featurizer import TurnFeatures
from empgan_training.algorithms.adversary import Adversary, memory_without_dropout
from empgan_training.algorithms.policy_gradient import RolloutAdversary
from empgan_training.algorithms.replies import sampled_replies, token_log_probs
from empgan_training.data.batch import Batch, collate
from empgan_training.data.prepared import PreparedDialogue
from empgan_training.model.discriminator import ContextState, HierarchicalDiscriminator
from empgan_training.model.encoders import lengths_of
from empgan_training.model.generator import Generator
from empgan_training.systems import SYSTEMS
from support.small_data import SMALL_SIZES, small_generator

VOCABULARY = 11
CONFIG = SYSTEMS["SeqGAN"].generator_config(
    vocabulary_size=VOCABULARY, emotion_vocabulary_size=9, **SMALL_SIZES
)
HIDDEN = SMALL_SIZES["hidden_size"]
MAX_LENGTH = 5
FAVOURITE = 7  # the word that the hand-made discriminator likes a reply to begin with


class Verdict(HierarchicalDiscriminator):
    """Says "human" with one probability to replies that begin with FAVOURITE, another to others.

    It keeps the replies that it is asked about.
    """

    def __init__(self, liked: float, others: float) -> None:
        super().__init__(VOCABULARY, 2, 2)
        self.logits = [math.log(p / (1 - p)) for p in (others, liked)]
        self.asked: list[Tensor] = []

    def score(self, context: ContextState, responses: Tensor) -> Tensor:
        assert len(context.hidden) == len(responses)
        self.asked.append(responses)
        return torch.tensor(self.logits)[(responses[:, 0] == FAVOURITE).long()]


def dialogue(*turns: list[int]) -> PreparedDialogue:
    features = tuple(TurnFeatures(words, [EOS], 1, 0) for words in turns)
    return PreparedDialogue("d", ("",) * len(turns), features)


@pytest.fixture
def batch() -> Batch:
    long = dialogue([4, 5, 6], [7, 8], [9], [10, 4, 4])
    return collate([long, dialogue([8], [4, 9, 5], [6])], MAX_LENGTH)


@pytest.fixture
def generator() -> Generator:
    return small_generator(CONFIG, seed=1)


def adversary(discriminator: HierarchicalDiscriminator | None = None) -> RolloutAdversary:
    torch.manual_seed(2)
    if discriminator is None:
        discriminator = HierarchicalDiscriminator(VOCABULARY, 6, 8)
    return RolloutAdversary(discriminator, HIDDEN, rollouts=3, max_length=MAX_LENGTH)


def drawn_replies(generator: Generator, batch: Batch, seed: int) -> Tensor:
    """Return the replies that a seed leads to."""
    torch.manual_seed(seed)
    return sampled_replies(generator, memory_without_dropout(generator, batch), MAX_LENGTH)


def touched(module: torch.nn.Module) -> set[str]:
    """Return the parameters whose gradient is not zero."""
    return {
        name for name, p in module.named_parameters() if p.grad is not None and bool(p.grad.any())
    }


def test_gradients_of_the_generators_loss(generator: Generator, batch: Batch) -> None:
    ours: Adversary = adversary()
    losses = ours.generator_losses(generator, batch)
    losses["total"].backward()
    spoken = {n for n, _ in generator.named_parameters() if not n.startswith("recogniser")}
    assert touched(generator) == spoken
    assert touched(ours.baseline) == {"weight", "bias"}
    assert all(p.grad is None for p in ours.critics.parameters())
    assert set(losses) == {"total", "reward", "baseline_error"}


def test_gradients_of_the_critics_loss(generator: Generator, batch: Batch) -> None:
    ours = adversary()
    ours.critic_losses(generator, batch)["total"].backward()
    assert touched(ours.critics) == {name for name, _ in ours.critics.named_parameters()}
    assert all(p.grad is None for p in [*generator.parameters(), *ours.baseline.parameters()])


def test_the_critics_loss_by_hand(generator: Generator, batch: Batch) -> None:
    fake = drawn_replies(generator, batch, seed=5)
    real = batch.response_out
    liked = [(replies[:, 0] == FAVOURITE).float() for replies in (real, fake)]
    assert 0 < liked[0].sum() < len(real)
    ours = adversary(Verdict(0.9, 0.2))
    torch.manual_seed(5)
    losses = ours.critic_losses(generator, batch)
    on_real = torch.where(liked[0] == 1, 0.9, 0.2)
    on_fake = torch.where(liked[1] == 1, 0.9, 0.2)
    expected = -on_real.log().mean() - (1 - on_fake).log().mean()
    assert float(losses["total"]) == pytest.approx(float(expected), rel=1e-5)
    right = (liked[0].sum() + (1 - liked[1]).sum()) / (2 * len(real))
    assert float(losses["discriminator_accuracy"]) == pytest.approx(float(right))


def test_the_generators_loss_by_hand(generator: Generator, batch: Batch) -> None:
    """A constant reward of .7 and a baseline of .2: -.5 log P of every word that was drawn."""
    replies = drawn_replies(generator, batch, seed=6)
    cut = lengths_of(replies) == MAX_LENGTH + 1
    assert cut.any()
    assert not cut.all()
    with torch.no_grad():
        memory = memory_without_dropout(generator, batch)
        log_probs = token_log_probs(generator, memory, replies, MAX_LENGTH + 1)
    log_probs[:, MAX_LENGTH:] = 0.0  # the EOS of a reply that was cut was not drawn
    ours = adversary(Verdict(0.7, 0.7))
    with torch.no_grad():
        ours.baseline.weight.zero_()
        ours.baseline.bias.fill_(0.2)
    torch.manual_seed(6)
    losses = {n: loss.detach() for n, loss in ours.generator_losses(generator, batch).items()}
    assert float(losses["reward"]) == pytest.approx(0.7)
    assert float(losses["baseline_error"]) == pytest.approx(0.25)
    expected = -0.5 * float(log_probs.sum(1).mean()) + 0.25
    assert float(losses["total"]) == pytest.approx(expected, rel=1e-5)


def test_the_last_steps_reward_is_the_finished_replys_own(
    generator: Generator, batch: Batch
) -> None:
    ours = adversary()
    with torch.no_grad():
        memory = memory_without_dropout(generator, batch)
        replies = sampled_replies(generator, memory, MAX_LENGTH)
        context = ours.discriminator.read_context(
            batch.utterances, batch.context_turns, batch.dialogue_of
        )
        rewards = ours.step_rewards(generator, memory, context, replies)
        own = torch.sigmoid(ours.discriminator.score(context, replies))
    ends = rewards.gather(1, lengths_of(replies).unsqueeze(1) - 1).squeeze(1)
    assert torch.equal(ends, own)
    assert ((rewards == 0) == (replies == PAD)).all()
    assert len(rewards[0][replies[0] != PAD].unique()) > 1  # each step has its own


def test_what_is_scored_are_completions_of_every_beginning(
    generator: Generator, batch: Batch
) -> None:
    replies = drawn_replies(generator, batch, seed=7)
    verdict = Verdict(0.9, 0.2)
    with torch.no_grad():
        memory = memory_without_dropout(generator, batch)
    context = ContextState(*torch.zeros(2, len(replies), 2))
    rewards = adversary(verdict).step_rewards(generator, memory, context, replies)
    finished, completed = verdict.asked
    assert torch.equal(finished, replies)
    row = 0
    for reply, length in zip(replies, lengths_of(replies).tolist(), strict=True):
        for said in range(1, min(length, MAX_LENGTH)):
            assert (completed[row : row + 3, :said] == reply[:said]).all()
            row += 3
    assert row == len(completed)
    # the verdict is on the first word, which every completion has
    expected = torch.where(replies[:, :1] == FAVOURITE, 0.9, 0.2) * (replies != PAD)
    torch.testing.assert_close(rewards, expected)


def test_a_reward_is_the_expected_verdict_on_what_may_follow(generator: Generator) -> None:
    """With many rollouts, by the generator's own probabilities; contexts have other verdicts."""

    class SecondWord(Verdict):
        def score(self, context: ContextState, responses: Tensor) -> Tensor:
            return super().score(context, responses[:, 1:]) + context.hidden[:, 0]

    contexts = dialogue([4, 5], [7, 8], [9]), dialogue([6], [10], [9])
    batch = collate(contexts, MAX_LENGTH)
    ours = RolloutAdversary(SecondWord(0.9, 0.2), HIDDEN, rollouts=4000, max_length=MAX_LENGTH)
    torch.manual_seed(3)
    replies = torch.tensor([[5, 6, EOS], [8, FAVOURITE, EOS]])
    shift = torch.tensor([0.0, -1.0])
    with torch.no_grad():
        memory = memory_without_dropout(generator, batch)
        context = ContextState(shift.view(2, 1), shift.view(2, 1))
        rewards = ours.step_rewards(generator, memory, context, replies)
        then = torch.tensor([[5, FAVOURITE, EOS], [8, FAVOURITE, EOS]])
        liked = token_log_probs(generator, memory, then, MAX_LENGTH)[:, 1].exp()
    assert abs(float(liked[0] - liked[1])) > 0.05
    others, favourite = (torch.sigmoid(torch.tensor(x) + shift) for x in ours.discriminator.logits)
    first = others + liked * (favourite - others)
    expected = [[first[0], others[0], others[0]], [first[1], favourite[1], favourite[1]]]
    torch.testing.assert_close(rewards, torch.tensor(expected), atol=0.02, rtol=0.0)


def test_replies_without_words_have_their_own_reward(generator: Generator, batch: Batch) -> None:
    ours = adversary(Verdict(0.9, 0.2))
    with torch.no_grad():
        memory = memory_without_dropout(generator, batch)
    silent = torch.full((batch.samples, 1), EOS)
    context = ContextState(*torch.zeros(2, batch.samples, 2))
    rewards = ours.step_rewards(generator, memory, context, silent)
    assert rewards.flatten().tolist() == pytest.approx([0.2] * batch.samples)


def test_a_constant_reward_pulls_nowhere_whatever_the_baseline(generator: Generator) -> None:
    """The expected gradient is zero; that of a single reply is not."""
    turns = [4, 5], [7, 8], [9]
    sizes = []
    for copies in (1, 3000):
        batch = collate([dialogue(*turns)] * copies, max_response=2)
        ours = RolloutAdversary(Verdict(0.7, 0.7), HIDDEN, rollouts=1, max_length=2)
        with torch.no_grad():
            ours.baseline.weight.zero_()
            ours.baseline.bias.fill_(-0.3)
        torch.manual_seed(8)
        generator.zero_grad()
        ours.generator_losses(generator, batch)["total"].backward()
        sizes.append(float(generator.decoder.vocabulary.bias.grad.norm()))
    assert sizes[0] > 0.3
    assert sizes[1] < 0.06


def test_the_baseline_learns_a_constant_reward(generator: Generator, batch: Batch) -> None:
    ours = adversary(Verdict(0.7, 0.7))
    optimiser = torch.optim.Adam(ours.baseline.parameters(), lr=0.03)
    errors = []
    for _ in range(80):
        loss = ours.generator_losses(generator, batch)
        optimiser.zero_grad()
        loss["total"].backward()
        optimiser.step()
        errors.append(float(loss["baseline_error"].detach()))
    assert errors[0] > 0.05
    assert errors[-1] < 0.01


def probability_of_favourite(generator: Generator, batch: Batch) -> float:
    """Return P(FAVOURITE) as a reply's first word, the mean over samples."""
    with torch.no_grad():
        memory = memory_without_dropout(generator, batch)
        first = torch.full((batch.samples, 1), FAVOURITE)
        return float(token_log_probs(generator, memory, first, MAX_LENGTH).exp().mean())


@pytest.mark.parametrize(("liked", "gain"), [(0.95, (0.3, 1.0)), (0.05, (-0.02, 0.02))])
def test_training_follows_the_discriminators_taste(
    batch: Batch, liked: float, gain: tuple[float, float]
) -> None:
    """Where it prefers a word, that word is said more; where it has no preference, it is not."""
    generator = small_generator(CONFIG, seed=1, std=0.3)
    ours = adversary(Verdict(liked, 0.05))
    with torch.no_grad():
        ours.baseline.weight.zero_()
        ours.baseline.bias.fill_(0.05)  # what the others get
    groups = [
        {"params": generator.parameters()},
        {"params": ours.baseline.parameters(), "lr": 0.01},
    ]
    optimiser = torch.optim.SGD(groups, lr=0.3)
    before = probability_of_favourite(generator, batch)
    for _ in range(60):
        loss = ours.generator_losses(generator, batch)["total"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    low, high = gain
    assert low < probability_of_favourite(generator, batch) - before < high
