"""The training GRU computes what torch.nn.GRU does, states and gradients."""

import pytest
import torch

from empgan_training.model import products
from empgan_training.model.gru import GRU, exported_gru
from empgan_training.model.products import large_in_bfloat16


def _gradients(gru: GRU, run, inputs, initial, valid):
    gru.zero_grad()
    inputs, initial = inputs.clone().requires_grad_(), initial.clone().requires_grad_()
    states = run(inputs, initial)
    weights = torch.linspace(-1, 1, states.numel(), dtype=states.dtype).reshape(states.shape)
    (states * weights * valid).sum().backward()
    return states.detach() * valid, [inputs.grad, initial.grad, *(p.grad for p in gru.parameters())]


@pytest.mark.parametrize("lengths", [[7, 7, 7, 7], [7, 1, 4, 2], [3, 1, 2, 3]])
def test_states_and_gradients_equal_torch_gru(lengths):
    torch.manual_seed(0)
    gru = GRU(5, 6).double()
    inputs, initial = torch.randn(4, 7, 5).double(), torch.randn(4, 6).double()
    steps = torch.tensor(lengths)
    valid = (torch.arange(7) < steps.unsqueeze(1)).unsqueeze(-1).double()
    ours = _gradients(gru, lambda x, h: gru.run(x, h, steps), inputs, initial, valid)
    theirs = _gradients(gru, lambda x, h: gru(x, h.unsqueeze(0))[0], inputs, initial, valid)
    torch.testing.assert_close(ours[0], theirs[0])
    for a, b in zip(ours[1], theirs[1], strict=True):
        torch.testing.assert_close(a, b)


def test_initial_state_defaults_to_zeros():
    torch.manual_seed(0)
    gru = GRU(3, 4)
    inputs = torch.randn(2, 5, 3)
    torch.testing.assert_close(gru.run(inputs), gru(inputs)[0])


def test_bfloat16_products_stay_close(monkeypatch):
    monkeypatch.setattr(products, "LEAST", 0)
    torch.manual_seed(0)
    gru = GRU(16, 32)
    inputs, initial = torch.randn(4, 9, 16), torch.randn(4, 32)
    valid = torch.ones(4, 9, 1)

    def rounded(inputs, initial):
        with large_in_bfloat16():
            return gru.run(inputs, initial)

    ours = _gradients(gru, rounded, inputs, initial, valid)
    theirs = _gradients(gru, gru.run, inputs, initial, valid)
    assert not torch.equal(ours[0], theirs[0])
    for a, b in zip((ours[0], *ours[1]), (theirs[0], *theirs[1]), strict=True):
        assert a.dtype == torch.float32
        torch.testing.assert_close(a, b, atol=0.03, rtol=0.02)


def test_the_exported_operator_is_the_same_gru_and_knows_its_shape():
    torch.manual_seed(0)
    gru = GRU(3, 4)
    inputs, initial = torch.randn(2, 5, 3), torch.randn(2, 4)
    arguments = (inputs, initial, *(w.detach() for w in gru.all_weights[0]))
    torch.testing.assert_close(exported_gru(*arguments), gru.run(inputs, initial).detach())
    torch.library.opcheck(exported_gru, arguments, test_utils=("test_schema", "test_faketensor"))
