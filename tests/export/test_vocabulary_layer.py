"""The vocabulary layer alone: exact top-k by blocks, and integers that PyTorch computes alike."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from empgan_export.quantised import QuantisedLinear
from empgan_export.vocabulary_layer import BLOCK, ROW_LEVELS, vocabulary_layer
from empgan_rt.graph_spec import STRUCK

HIDDEN = 24


def linear(words, seed=0):
    torch.manual_seed(seed)
    layer = nn.Linear(HIDDEN, words)
    with torch.no_grad():
        layer.weight[5] = 0  # a word without weights has a scale all the same
    return layer


def session(precision, layer):
    nodes = vocabulary_layer(precision, layer.out_features, "d", "W", "b")
    inputs = [
        helper.make_tensor_value_info("d", TensorProto.FLOAT, ["B", "K", HIDDEN]),
        helper.make_tensor_value_info("banned", TensorProto.INT32, ["B", "K", "S"]),
        helper.make_tensor_value_info("num_candidates", TensorProto.INT64, [1]),
    ]
    outputs = [
        helper.make_tensor_value_info("candidate_ids", TensorProto.INT32, ["B", "K", "C"]),
        helper.make_tensor_value_info("candidate_log_probs", TensorProto.FLOAT, ["B", "K", "C"]),
    ]
    weights = {"W": layer.weight, "b": layer.bias}
    tensors = [numpy_helper.from_array(t.detach().numpy(), n) for n, t in weights.items()]
    graph = helper.make_graph(nodes, "layer", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(layer_session, rows, banned, count):
    feeds = {"d": rows, "banned": banned, "num_candidates": np.array([count])}
    return layer_session.run(["candidate_ids", "candidate_log_probs"], feeds)


def wanted(layer, rows, banned, count):
    with torch.inference_mode():
        log_probs = torch.log_softmax(layer(torch.tensor(rows)), -1)
        struck = log_probs.scatter(-1, torch.tensor(banned).long(), STRUCK)
        best, ids = struck.topk(count, -1)
    return ids.numpy(), best.numpy()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("words", [40, BLOCK, 5 * BLOCK + 1])
@pytest.mark.parametrize("count", [1, 6, 39])
def test_the_best_words_of_each_row(precision, words, count):
    layer = linear(words)
    draw = np.random.default_rng(words + count)
    rows = draw.standard_normal((3, 2, HIDDEN)).astype(np.float32)
    rows[1, 1] = 0  # as in a slot that is empty
    banned = draw.integers(0, words, (3, 2, 5)).astype(np.int32)
    reference = layer if precision == "fp32" else QuantisedLinear(layer)
    ids, log_probs = run(session(precision, layer), rows, banned, count)
    want_ids, want_log_probs = wanted(reference, rows, banned, count)
    np.testing.assert_allclose(log_probs, want_log_probs, atol=2e-6)
    live = want_log_probs > STRUCK / 2
    np.testing.assert_array_equal(ids[live], want_ids[live])


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_all_words_come_and_no_padding(precision):
    words = BLOCK + 3
    layer = linear(words)
    rows = np.random.default_rng(0).standard_normal((1, 1, HIDDEN)).astype(np.float32)
    banned = np.array([[[0, 2]]], np.int32)
    ids, log_probs = run(session(precision, layer), rows, banned, words)
    assert sorted(ids.ravel()) == list(range(words))
    assert {*ids.ravel()[-2:]} == {0, 2}  # banned words come last, padding never
    np.testing.assert_array_equal(log_probs.ravel()[-2:], STRUCK)


def test_integers_are_close_to_the_layer_and_not_equal():
    layer = linear(300)
    rows = torch.randn(50, HIDDEN)
    with torch.inference_mode():
        gap = (QuantisedLinear(layer)(rows) - layer(rows)).abs()
    # at most half a level of each input and of each weight, times what it is multiplied with
    scale = rows.abs().amax(-1, keepdim=True)
    bound = (scale / 126) * layer.weight.abs().sum(-1) + HIDDEN * scale * 0.21 / 254
    assert (gap <= bound).all()
    assert gap.max() > 1e-4


def test_pairs_of_products_fit_16_bits():
    """Else processors without VNNI would saturate: the largest sizes meet in every place."""
    layer = nn.Linear(HIDDEN, 10)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.zero_()
        layer.weight[3:] = -1.0
    # the zero point lifts a row's levels to 0..2 * ROW_LEVELS + 1
    product = QuantisedLinear(layer).weight.abs().max() * (2 * ROW_LEVELS + 1)
    assert 2 * product <= 2**15 - 1
    rows = np.ones((1, 1, HIDDEN), np.float32)
    banned = np.zeros((1, 1, 1), np.int32)
    ids, log_probs = run(session("int8", layer), rows, banned, 9)
    want = wanted(layer, rows, banned, 9)[1]
    np.testing.assert_allclose(log_probs, want, atol=1e-4)
    assert {*ids[0, 0, :2]} == {1, 2}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_row_is_the_same_in_any_company(precision):
    layer = linear(700)
    layer_session = session(precision, layer)
    rows = np.random.default_rng(1).standard_normal((32, 5, HIDDEN)).astype(np.float32)
    rows *= np.logspace(-2, 2, 32, dtype=np.float32)[:, None, None]
    banned = np.zeros((32, 5, 1), np.int32)
    together = run(layer_session, rows, banned, 6)
    for place in range(32):
        alone = run(layer_session, rows[place : place + 1], banned[:1], 6)
        for have, want in zip(alone, together, strict=True):
            np.testing.assert_array_equal(have[0], want[place])
