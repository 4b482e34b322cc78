"""Products of integers: PyTorch's are close to floats, and the graph's are PyTorch's."""

import functools

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import safetensors.torch
import torch
from torch import nn

from empgan_export.output_range import output_range
from empgan_export.quantised import (
    BIAS_COLUMNS,
    BIAS_LEVEL,
    MANY_LEVELS,
    QuantisedLinear,
    quantised,
    weight_levels,
)
from empgan_export.to_onnx import WEIGHTS_FILE, finish, stored_tensors, trace
from empgan_rt.config import GeneratorConfig
from empgan_rt.graph_spec import GraphSpec, TensorSpec
from support.small_data import small_generator

HIDDEN, OUTPUTS = 24, 60
KINDS = {
    "states": {"input_range": 1.0},
    "embeddings": {"input_range": 0.0},
    "d^o": {"input_range": 3.0, "input_levels": MANY_LEVELS, "rounds_bias": True},
}
SPEC = GraphSpec(
    "product",
    (TensorSpec("rows", "float32", ("B", "K", HIDDEN)),),
    (TensorSpec("products", "float32", ("B", "K", OUTPUTS)),),
)


class Product(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.generator = layer

    def forward(self, rows):
        return (self.generator(rows),)


def quantised_layer(kind="states", fill=None):
    torch.manual_seed(0)
    layer = nn.Linear(HIDDEN, OUTPUTS)
    with torch.no_grad():
        layer.weight[5] = 0  # an output without weights has a scale all the same
        layer.bias[:3] = torch.tensor([-65000.0, 40.0, 0.0])  # larger than its weights, and none
        if fill is not None:
            layer.weight.copy_(fill)
            layer.bias.zero_()
    return QuantisedLinear(layer.weight, layer.bias, **KINDS[kind])


@functools.cache
def graph(kind):
    """The graph over any weights of a kind: they stand outside of it."""
    layer = quantised_layer(kind)
    places = stored_tensors(stored(layer))
    model = finish(*trace(Product(layer), SPEC, places), places, SPEC)
    return model.SerializeToString()


def stored(layer):
    return safetensors.torch.save({n: p.detach() for n, p in layer.named_parameters()})


def session(kind, layer, folder):
    (folder / WEIGHTS_FILE).write_bytes(stored(layer))
    (folder / "product.onnx").write_bytes(graph(kind))
    path = str(folder / "product.onnx")
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


def some_rows(kind):
    """Rows of the range of their kind, of which some numbers of d^o exceed it."""
    rows = np.random.default_rng(1).standard_normal((32, 5, HIDDEN)).astype(np.float32)
    rows[1, 1] = 0  # as in a slot that is empty
    if kind == "embeddings":
        return rows * np.logspace(-2, 2, 32, dtype=np.float32)[:, None, None]
    return np.tanh(rows) if kind == "states" else rows * np.float32(1.5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_computes_what_pytorch_does_in_any_company(tmp_path, kind):
    layer, rows = quantised_layer(kind), some_rows(kind)
    product = session(kind, layer, tmp_path)
    (together,) = product.run(None, {"rows": rows})
    with torch.inference_mode():
        wanted = layer(torch.tensor(rows)).numpy()
    atol = 1e-6 * np.abs(wanted[..., 1:]).max()
    np.testing.assert_allclose(together, wanted, rtol=1e-5, atol=atol)
    for place in range(len(rows)):
        (alone,) = product.run(None, {"rows": rows[place : place + 1]})
        np.testing.assert_array_equal(alone[0], together[place])


@pytest.mark.parametrize("kind", KINDS)
def test_integers_are_close_to_floats_and_not_equal(kind):
    layer, rows = quantised_layer(kind), torch.tensor(some_rows(kind))
    levels = layer.rounding[1]
    scale = torch.tensor(KINDS[kind]["input_range"])
    if not scale:
        scale = rows.abs().amax(-1, keepdim=True)
    within = rows.clamp(-scale - scale / levels, scale)  # there is one level more below zero
    with torch.inference_mode():
        gap = (layer(rows) - nn.functional.linear(within, layer.weight, layer.bias)).abs()
    # at most half a level of each input and of each weight, times what it is multiplied with
    half, half_of_weight = scale / levels / 2, layer.scale / 2
    bound = half * layer.weight.abs().sum(-1) + HIDDEN * (scale + 2 * half) * half_of_weight
    if layer.inside is not None:
        bound = bound + BIAS_LEVEL / 2 * layer.scale * layer.rounding[0]
    assert (gap <= bound + 1e-2 * (layer.bias.abs() > 1e4) + 1e-5).all()
    assert gap.max() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_of_products_fit_16_bits(tmp_path, kind):
    """Else processors without VNNI would saturate: the largest sizes meet in every place."""
    fill = torch.ones(OUTPUTS, HIDDEN)
    fill[3:] = -1.0
    layer, scale = quantised_layer(kind, fill), KINDS[kind]["input_range"] or 2.0
    levels = layer.rounding[1]
    # the zero point lifts an input's levels to 0..2 * levels + 1
    assert layer.levels.abs().max() == weight_levels(levels)
    assert 2 * layer.levels.abs().max() * (2 * levels + 1) <= 2**15 - 1
    rows = np.full((1, 1, HIDDEN), scale, np.float32)
    (products,) = session(kind, layer, tmp_path).run(None, {"rows": rows})
    np.testing.assert_allclose(products[0, 0], HIDDEN * scale * fill[:, 0].numpy(), rtol=1e-5)


def test_a_bias_inside_never_exceeds_its_columns():
    layer = quantised_layer("d^o")
    shares = layer.bias_levels / BIAS_LEVEL
    assert shares.abs().max() <= BIAS_COLUMNS * weight_levels(MANY_LEVELS)
    assert shares[0] == -BIAS_COLUMNS * weight_levels(MANY_LEVELS)  # -65000 takes all of them
    assert shares[2] == 0


def test_the_range_of_outputs_is_that_of_replies_to_random_dialogues():
    generator = small_generator(GeneratorConfig(90, 30, 12, 10, 8, 16, 6), std=1.0)
    found = output_range(generator)
    assert found == output_range(generator) > 1.0
    assert found % 0.25 == 0.0
    with torch.no_grad():  # Eq. 6 is linear
        for layer in (generator.decoder.output_hidden, generator.decoder.output_memory):
            for parameter in layer.parameters():
                parameter *= 0.01
    assert output_range(generator) < found / 20 + 0.25


def test_onnx_runtime_multiplies_integers(small_bundle, tmp_path):
    """ONNX Runtime sees a product of dequantised operands and must make it one of integers."""
    _, path = small_bundle
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3  # an optimised model depends on the machine: it says so
    ort.InferenceSession(
        str(path / "decoder_step.int8.onnx"), options, providers=["CPUExecutionProvider"]
    )
    optimised = onnx.load(tmp_path / "optimised.onnx", load_external_data=False)
    operators = [node.op_type for node in optimised.graph.node]
    assert operators.count("MatMulIntegerToFloat") == 4  # Eq. 1 twice, 3 and 7
    # the score of a turn (Eq. 3), Eq. 5 and 6, and the best words once more
    assert operators.count("MatMul") == 4
    assert "DequantizeLinear" not in operators


def test_states_stay_within_the_range_that_their_products_assume():
    generator = quantised(small_generator(GeneratorConfig(90, 30, 12, 10, 8, 16, 6), std=3.0))
    hidden = torch.tanh(torch.randn(2, 3, 16) * 3)
    memory = torch.zeros(2, 4, 16), torch.zeros(2, 4, 16), torch.zeros(2, 4)
    with torch.inference_mode():
        for _ in range(30):
            tokens = torch.randint(3, 90, (2, 3))
            hidden, logits = generator.step(tokens, hidden, *memory)
            assert logits.isfinite().all()
            assert hidden.abs().max() <= 1.0
    assert hidden.abs().max() > 0.9
