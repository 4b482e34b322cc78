"""Vectors taken out of a padded batch and put back, and the gradients of both."""

from __future__ import annotations

import torch

from empgan_training.model.padding import put_back, taken

PLACES = torch.tensor([5, 0, 3])


def test_vectors_are_those_at_their_places() -> None:
    padded = torch.randn(2, 3, 4, dtype=torch.double, requires_grad=True)
    vectors = taken(padded, PLACES)
    torch.testing.assert_close(vectors, torch.stack([padded[1, 2], padded[0, 0], padded[1, 0]]))
    assert torch.autograd.gradcheck(lambda given: taken(given, PLACES), padded)


def test_what_is_put_back_has_zeros_around_it() -> None:
    vectors = torch.randn(3, 4, dtype=torch.double, requires_grad=True)
    padded = put_back(vectors, PLACES, 2, 3)
    assert padded.shape == (2, 3, 4)
    torch.testing.assert_close(taken(padded, PLACES), vectors)
    elsewhere = torch.tensor([1, 2, 4])
    assert not taken(padded, elsewhere).any()
    assert torch.autograd.gradcheck(lambda given: put_back(given, PLACES, 2, 3), vectors)
