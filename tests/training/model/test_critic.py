"""The critic: what it reads, that padding changes nothing, and who learns from it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from empgan_training.model.critic import KERNEL_WIDTHS, Critic, States, join
from empgan_training.model.products import large_in_bfloat16
from empgan_training.model.words import Words

V, E, H, G = 13, 6, 32, 10


@pytest.fixture
def critic() -> Critic:
    torch.manual_seed(0)
    return Critic(V, E, H, G).double()


def context(rows: int) -> Tensor:
    return torch.randn(rows, G, generator=torch.manual_seed(1)).double()


def scores(critic: Critic, response: list[list[int]], feedback: list[list[int]] | None) -> Tensor:
    read = [critic.read(Words(padded(ids))) for ids in (response, feedback) if ids is not None]
    with torch.no_grad():
        found: Tensor = critic(read[0], read[1] if feedback else None, context(len(response)))
    return found


def padded(rows: list[list[int]], extra: int = 0) -> Tensor:
    width = max(map(len, rows)) + extra
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


RESPONSES = [[4, 9, 3], [5, 6, 7, 8, 10, 11, 3], [3]]
FEEDBACKS = [[7, 7, 3], [3], [12, 4, 5, 6, 3]]


def test_a_score_by_hand(critic: Critic) -> None:
    """One sample at a time, without batching: LSTM, windows, maxima, Eq. 10 and 13."""
    together = scores(critic, RESPONSES, FEEDBACKS)
    for row, (response, feedback) in enumerate(zip(RESPONSES, FEEDBACKS, strict=True)):
        with torch.no_grad():
            states = torch.cat(
                [
                    critic.lstm(critic.embedding(torch.tensor([ids])))[0]
                    for ids in (response, feedback)
                ],
                dim=1,
            )[0]
            if len(states) < max(KERNEL_WIDTHS):
                states = functional.pad(states, (0, 0, 0, max(KERNEL_WIDTHS) - len(states)))
            pooled = []
            for convolution, width in zip(critic.convolutions, KERNEL_WIDTHS, strict=True):
                windows = [states[t : t + width] for t in range(len(states) - width + 1)]
                for weight, bias in zip(convolution.weight, convolution.bias, strict=True):
                    values = [torch.relu((weight.t() * w).sum() + bias) for w in windows]
                    pooled.append(torch.stack(values).max())
            h_dlg = critic.context.weight @ context(3)[row] + critic.context.bias
            score = critic.score.weight[0] @ torch.relu(torch.stack(pooled) + h_dlg)
        torch.testing.assert_close(together[row], (score + critic.score.bias[0]).float())


@pytest.mark.parametrize("feedback", [None, FEEDBACKS])
def test_padding_and_company_change_no_score(
    critic: Critic, feedback: list[list[int]] | None
) -> None:
    plain = scores(critic, RESPONSES, feedback)
    with torch.no_grad():
        wide = critic.read(Words(padded(RESPONSES, 6)))
        after = None if feedback is None else critic.read(Words(padded(feedback, 9)))
        torch.testing.assert_close(critic(wide, after, context(3)), plain)
        for row in range(3):
            alone = critic.read(Words(torch.tensor([RESPONSES[row]])))
            its = None if feedback is None else critic.read(Words(torch.tensor([feedback[row]])))
            score = critic(alone, its, context(3)[row : row + 1])
            torch.testing.assert_close(score[0], plain[row])


def test_feedback_and_context_change_the_score(critic: Critic) -> None:
    plain = scores(critic, RESPONSES, FEEDBACKS)
    assert not torch.allclose(scores(critic, RESPONSES, [[8, 3]] * 3), plain)
    read = critic.read(Words(padded(RESPONSES)))
    with torch.no_grad():
        assert not torch.allclose(critic(read, None, context(3)), critic(read, None, -context(3)))


def test_joined_sequences_have_no_padding_between() -> None:
    first = States(
        torch.tensor([[[1.0], [2.0], [0.0]], [[3.0], [0.0], [0.0]]]), torch.tensor([2, 1])
    )
    second = States(torch.tensor([[[7.0], [0.0]], [[8.0], [9.0]]]), torch.tensor([1, 2]))
    joined = join([first, second])
    assert joined.values.squeeze(-1).tolist() == [[1.0, 2.0, 7.0], [3.0, 8.0, 9.0]]
    assert joined.lengths.tolist() == [3, 3]


def test_one_hot_weights_score_as_their_ids_do_and_pass_a_gradient(critic: Critic) -> None:
    ids = padded(RESPONSES)
    weights = functional.one_hot(ids, V).double().requires_grad_()
    relaxed = critic.read(Words(ids, weights))
    plain = critic.read(Words(ids))
    torch.testing.assert_close(relaxed.values, plain.values)
    critic(relaxed, None, context(3)).sum().backward()
    assert weights.grad is not None
    assert (weights.grad[0, :3].abs().amax(-1) > 0).all()
    assert (weights.grad[ids == 0] == 0).all()  # what is padding tells nothing


def test_every_parameter_learns_and_the_context_does_not(critic: Critic) -> None:
    given = context(3).requires_grad_()
    read = [critic.read(Words(padded(ids))) for ids in (RESPONSES, FEEDBACKS)]
    critic(read[0], read[1], given).square().sum().backward()
    for name, parameter in critic.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    names = {name for name, _ in critic.named_parameters()}
    assert {f"convolutions.{i}.weight" for i in range(4)} <= names  # learned, not drawn anew
    assert given.grad is None


def test_where_products_are_rounded_lstm_and_convolutions_are_too() -> None:
    """States and scores differ from float32's by what bfloat16 loses; scores stay float32."""
    torch.manual_seed(0)
    critic = Critic(V, E, H, G)
    words = Words(torch.randint(4, V, (5, 9)))
    dialogue = torch.randn(5, G)
    exact = critic.read(words).values
    with large_in_bfloat16():
        rounded = critic.read(words)
        scores = critic(States(exact, words.lengths), None, dialogue)
    assert torch.equal(rounded.values, rounded.values.bfloat16().float())
    assert not torch.equal(exact, exact.bfloat16().float())
    torch.testing.assert_close(rounded.values.float(), exact, rtol=0, atol=0.02)
    plain = critic(States(exact, words.lengths), None, dialogue)
    assert scores.dtype == torch.float32
    assert not torch.equal(scores, plain)
    torch.testing.assert_close(scores, plain, rtol=0, atol=0.02)
