"""The decoder's keys and values where nothing is read of a memory."""

from __future__ import annotations

import torch

from empgan_rt.graph_spec import STRUCK
from empgan_training.model.decoder import Decoder


def test_what_is_not_read_is_left_out_of_keys_and_values_and_gradients() -> None:
    torch.manual_seed(1)
    decoder = Decoder(3, 5, 4, 7, dropout=0.0).double()
    memory = torch.randn(2, 6, 5, dtype=torch.double, requires_grad=True)
    read = torch.tensor([[1, 1, 1, 1, 0, 0], [0, 0, 1, 0, 0, 0]], dtype=torch.bool)
    mask = (~read).double() * STRUCK
    whole = decoder.prepare(memory, memory[:, 0])
    found = decoder.prepare(memory, memory[:, 0], mask)
    torch.testing.assert_close(found[2], whole[2])
    for part, complete in zip(found[:2], whole[:2], strict=True):
        torch.testing.assert_close(part, complete * read.unsqueeze(-1))
        (gradient,) = torch.autograd.grad(part.square().sum(), memory, retain_graph=True)
        kept = (complete * read.unsqueeze(-1)).square().sum()
        (wanted,) = torch.autograd.grad(kept, memory)
        torch.testing.assert_close(gradient, wanted)
