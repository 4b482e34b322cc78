"""Products of integers: PyTorch's are close to floats, and the graph's are PyTorch's."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import safetensors.torch
import torch
from torch import nn

from empgan_export.quantised import INPUT_LEVELS, QuantisedLinear, quantised
from empgan_export.to_onnx import WEIGHTS_FILE, finish, stored_tensors, trace
from empgan_rt.config import GeneratorConfig
from empgan_rt.graph_spec import GraphSpec, TensorSpec
from support.small_data import small_generator

HIDDEN, OUTPUTS = 24, 60
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


def quantised_layer(input_range=0.0, fill=None):
    torch.manual_seed(0)
    layer = nn.Linear(HIDDEN, OUTPUTS)
    with torch.no_grad():
        layer.weight[5] = 0  # an output without weights has a scale all the same
        if fill is not None:
            layer.weight.copy_(fill)
            layer.bias.zero_()
    return QuantisedLinear(layer.weight, layer.bias, input_range)


def session(layer, folder):
    weights = safetensors.torch.save({n: p.detach() for n, p in layer.named_parameters()})
    (folder / WEIGHTS_FILE).write_bytes(weights)
    places = stored_tensors(weights)
    model = finish(*trace(Product(layer), SPEC, places), places, SPEC)
    (folder / "product.onnx").write_bytes(model.SerializeToString())
    path = str(folder / "product.onnx")
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


def some_rows(input_range):
    rows = np.random.default_rng(1).standard_normal((32, 5, HIDDEN)).astype(np.float32)
    rows[1, 1] = 0  # as in a slot that is empty
    if input_range:
        return np.tanh(rows) * np.float32(input_range)
    return rows * np.logspace(-2, 2, 32, dtype=np.float32)[:, None, None]


@pytest.mark.parametrize("input_range", [0.0, 1.0])
def test_the_graph_computes_what_pytorch_does_in_any_company(tmp_path, input_range):
    layer, rows = quantised_layer(input_range), some_rows(input_range)
    product = session(layer, tmp_path)
    (together,) = product.run(None, {"rows": rows})
    with torch.inference_mode():
        wanted = layer(torch.tensor(rows)).numpy()
    np.testing.assert_allclose(together, wanted, rtol=1e-5, atol=1e-6 * np.abs(wanted).max())
    for place in range(len(rows)):
        (alone,) = product.run(None, {"rows": rows[place : place + 1]})
        np.testing.assert_array_equal(alone[0], together[place])


@pytest.mark.parametrize("input_range", [0.0, 1.0])
def test_integers_are_close_to_floats_and_not_equal(input_range):
    layer, rows = quantised_layer(input_range), torch.tensor(some_rows(input_range))
    with torch.inference_mode():
        gap = (layer(rows) - nn.functional.linear(rows, layer.weight, layer.bias)).abs()
    # at most half a level of each input and of each weight, times what it is multiplied with
    scale = rows.abs().amax(-1, keepdim=True) if not input_range else torch.tensor(input_range)
    weight_range = layer.weight.abs().max()
    bound = scale / 126 * layer.weight.abs().sum(-1) + HIDDEN * scale * weight_range / 254
    assert (gap <= bound + 1e-5).all()
    assert gap.max() > 1e-4


def test_pairs_of_products_fit_16_bits(tmp_path):
    """Else processors without VNNI would saturate: the largest sizes meet in every place."""
    fill = torch.ones(OUTPUTS, HIDDEN)
    fill[3:] = -1.0
    layer = quantised_layer(1.0, fill)
    # the zero point lifts an input's levels to 0..2 * INPUT_LEVELS + 1
    assert 2 * layer.levels.abs().max() * (2 * INPUT_LEVELS + 1) <= 2**15 - 1
    (products,) = session(layer, tmp_path).run(None, {"rows": np.ones((1, 1, HIDDEN), np.float32)})
    np.testing.assert_allclose(products[0, 0], HIDDEN * fill[:, 0].numpy(), rtol=1e-5)


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
