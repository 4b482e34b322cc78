"""Attention over whole replies: what a reply gets depends on nothing that is padded."""

from __future__ import annotations

import pytest
import torch

from empgan_rt.graph_spec import STRUCK
from empgan_training.model.attention import EmpatheticAttention, Readable

REPLIES, STEPS, POSITIONS, WIDTH = 19, 7, 11, 6


@pytest.mark.parametrize("newest_alone", [False, True])
def test_replies_of_any_sizes_get_what_each_gets_alone(newest_alone: bool) -> None:
    torch.manual_seed(1)
    attention = EmpatheticAttention(WIDTH, WIDTH).double()
    states = torch.randn(REPLIES, STEPS, WIDTH, dtype=torch.double, requires_grad=True)
    keys, values = torch.randn(2, REPLIES, POSITIONS, WIDTH, dtype=torch.double)
    lengths = torch.randint(1, STEPS + 1, (REPLIES,))
    ends = torch.randint(1, POSITIONS + 1, (REPLIES, 1))
    place = torch.arange(POSITIONS)
    unread = place != ends - 1 if newest_alone else place >= ends
    mask = unread.double() * STRUCK

    found = attention.of_replies(states, lengths, Readable(keys, values, mask))
    assert found.shape == (REPLIES, STEPS, WIDTH)
    real = torch.arange(STEPS) < lengths.unsqueeze(1)
    wanted = attention(states, keys, values, mask)
    torch.testing.assert_close(found[real], wanted[real])
    (gradient,) = torch.autograd.grad(found[real].square().sum(), states, retain_graph=True)
    (expected,) = torch.autograd.grad(wanted[real].square().sum(), states)
    torch.testing.assert_close(gradient, expected)


def test_rows_of_one_memory_get_what_each_gets_alone() -> None:
    torch.manual_seed(2)
    attention = EmpatheticAttention(WIDTH, WIDTH).double()
    keys, values = torch.randn(2, 4, POSITIONS, WIDTH, dtype=torch.double)
    mask = (torch.arange(POSITIONS) >= torch.tensor([[3], [POSITIONS], [1], [6]])).double() * STRUCK
    of = torch.tensor([0, 0, 2, 3, 3, 3])  # nobody reads the second
    states = torch.randn(len(of), WIDTH, dtype=torch.double)
    found = attention.of_words(states, of, Readable(keys, values, mask))
    wanted = attention(states.unsqueeze(1), keys[of], values[of], mask[of]).squeeze(1)
    torch.testing.assert_close(found, wanted)


def test_replies_may_share_a_memory_and_read_parts_of_it() -> None:
    torch.manual_seed(2)
    attention = EmpatheticAttention(WIDTH, WIDTH).double()
    keys, values = torch.randn(2, 2, POSITIONS, WIDTH, dtype=torch.double).requires_grad_()
    row_of, parts = torch.tensor([1, 0, 1]), torch.tensor([[3], [POSITIONS], [1]])
    mask = (torch.arange(POSITIONS) >= parts).double() * STRUCK
    states = torch.randn(3, STEPS, WIDTH, dtype=torch.double)
    shared = Readable(keys, values, mask, row_of)
    whole = Readable(keys[row_of], values[row_of], mask)
    lengths = torch.tensor([STEPS, 1, 2])
    found, wanted = (attention.of_replies(states, lengths, read) for read in (shared, whole))
    torch.testing.assert_close(found, wanted)
    ours, theirs = (torch.autograd.grad(f.square().sum(), (keys, values)) for f in (found, wanted))
    torch.testing.assert_close(ours, theirs)
    assert shared.of_each().row_of is None
    torch.testing.assert_close(shared.of_each()[:3], whole[:3])
