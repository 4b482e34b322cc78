"""SeqGAN's discriminator: PyTorch's own LSTMs as oracle, padding, and one reading per context."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from empgan_training.model.discriminator import HierarchicalDiscriminator

UTTERANCES = torch.tensor(
    [[[4, 9, 8], [11, 0, 0], [6, 6, 1]], [[10, 7, 0], [5, 0, 0], [0, 0, 0]]]
).int()
TURNS = torch.tensor([3, 2])
RESPONSES = torch.tensor([[4, 5, 3], [9, 3, 0]])
TOL = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture
def discriminator() -> HierarchicalDiscriminator:
    torch.manual_seed(4)
    return HierarchicalDiscriminator(12, 6, 8).double()


def padded(ids: Tensor, *extra: int) -> Tensor:
    """Return ids with so much more padding at the end of each axis."""
    sides = [side for more in reversed(extra) for side in (0, more)]
    return functional.pad(ids, sides)


def test_logits_equal_lstms_over_each_turn_and_over_the_turns(
    discriminator: HierarchicalDiscriminator,
) -> None:
    over_turns = nn.LSTM(8, 8, batch_first=True).double()
    cell = discriminator.turns.state_dict()
    over_turns.load_state_dict({f"{name}_l0": weight for name, weight in cell.items()})
    expected = []
    with torch.no_grad():
        for dialogue, count, response in zip(UTTERANCES, TURNS, RESPONSES, strict=True):
            vectors = []
            for turn in [*dialogue[:count], response]:
                embedded = discriminator.embedding.weight[turn[turn != 0]]
                vectors.append(discriminator.words(embedded.unsqueeze(0))[1][0][0])
            _, (newest, _) = over_turns(torch.stack(vectors, dim=1))
            expected.append(discriminator.human(newest[0]).item())
        logits = discriminator(UTTERANCES, TURNS, RESPONSES)
    assert logits.shape == (2,)
    assert logits.tolist() == pytest.approx(expected, rel=1e-9)


def test_padding_and_what_comes_after_the_context_change_no_logit(
    discriminator: HierarchicalDiscriminator,
) -> None:
    later = padded(UTTERANCES, 0, 2, 4)
    later[0, 3] = 9
    later[1, 2, :2] = 6
    with torch.no_grad():
        logits = discriminator(UTTERANCES, TURNS, RESPONSES)
        same = discriminator(later, TURNS, padded(RESPONSES, 0, 5))
        other = discriminator(later, TURNS + 1, RESPONSES)
    torch.testing.assert_close(same, logits, **TOL)
    assert (other != logits).all()


def test_company_changes_no_logit(discriminator: HierarchicalDiscriminator) -> None:
    with torch.no_grad():
        logits = discriminator(UTTERANCES, TURNS, RESPONSES)
        alone = discriminator(UTTERANCES[1:, :2, :2], TURNS[1:], RESPONSES[1:, :2])
    torch.testing.assert_close(alone, logits[1:], **TOL)


def test_samples_of_one_dialogue_share_its_reading(
    discriminator: HierarchicalDiscriminator,
) -> None:
    dialogue_of, turns = torch.tensor([0, 1, 0]), torch.tensor([3, 1, 2])
    responses = torch.tensor([[4, 3], [9, 3], [9, 3]])
    with torch.no_grad():
        together = discriminator(UTTERANCES, turns, responses, dialogue_of)
        apart = discriminator(UTTERANCES[dialogue_of], turns, responses)
    torch.testing.assert_close(together, apart, **TOL)
    assert together[1] != together[2]  # one reply to two contexts


def test_many_replies_are_scored_against_a_context_that_is_read_once(
    discriminator: HierarchicalDiscriminator,
) -> None:
    index = torch.tensor([1, 0, 1])
    responses = torch.tensor([[4, 3, 0], [9, 3, 0], [7, 8, 3]])
    with torch.no_grad():
        context = discriminator.read_context(UTTERANCES, TURNS)
        scores = discriminator.score(context.rows(index), responses)
        expected = discriminator(UTTERANCES[index], TURNS[index], responses)
    torch.testing.assert_close(scores, expected, **TOL)


def test_every_parameter_receives_gradient(discriminator: HierarchicalDiscriminator) -> None:
    discriminator(UTTERANCES, TURNS, RESPONSES).sum().backward()
    for name, parameter in discriminator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert (discriminator.embedding.weight.grad[0] == 0).all()  # padding


def test_it_learns_that_a_reply_has_to_fit_its_context() -> None:
    """People say 6 to 4 and 7 to 5, and machines the other way round."""
    torch.manual_seed(0)
    discriminator = HierarchicalDiscriminator(8, 6, 8)
    utterances = torch.tensor([[[4, 4]], [[5, 0]], [[4, 4]], [[5, 0]]])
    replies = torch.tensor([[6, 3], [7, 3], [7, 3], [6, 3]])
    human = torch.tensor([1.0, 1.0, 0.0, 0.0])
    optimiser = torch.optim.Adam(discriminator.parameters(), lr=0.02)
    losses = []
    for _ in range(120):
        logits = discriminator(utterances, torch.ones(4).long(), replies)
        loss = functional.binary_cross_entropy_with_logits(logits, human)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > 0.5
    assert losses[-1] < 0.1
