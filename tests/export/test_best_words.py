"""The end of a decoder step alone: log-softmax, struck words and exact top-k by blocks."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from empgan_export.best_words import BELOW_STRUCK, BLOCK, MOST_RESCORED, RESCORED, best_words
from empgan_rt.graph_spec import STRUCK
from empgan_training.eager import best_tokens

HIDDEN = 24


def session(words, rounded_from=None):
    inputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", "K", "W"]),
        helper.make_tensor_value_info("banned", TensorProto.INT32, ["B", "K", "S"]),
        helper.make_tensor_value_info("num_candidates", TensorProto.INT64, [1]),
    ]
    outputs = [
        helper.make_tensor_value_info("candidate_ids", TensorProto.INT32, ["B", "K", "C"]),
        helper.make_tensor_value_info("candidate_log_probs", TensorProto.FLOAT, ["B", "K", "C"]),
    ]
    nodes, weights = best_words(words, "logits"), []
    if rounded_from is not None:
        output = helper.make_tensor_value_info("d", TensorProto.FLOAT, ["B", "K", HIDDEN])
        inputs.append(output)
        nodes = best_words(words, "logits", ("d", "weight", "bias"))
        weights = [numpy_helper.from_array(t.numpy(), n) for n, t in rounded_from.items()]
    graph = helper.make_graph(nodes, "best_words", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(words, logits, banned, count, rounded_from=None, **more):
    padding = ((0, 0), (0, 0), (0, -words % BLOCK))
    padded = np.pad(logits, padding, constant_values=BELOW_STRUCK)
    feeds = {"logits": padded, "banned": banned, "num_candidates": np.array([count]), **more}
    return session(words, rounded_from).run(["candidate_ids", "candidate_log_probs"], feeds)


@pytest.mark.parametrize("words", [40, BLOCK, 5 * BLOCK + 1])
@pytest.mark.parametrize("count", [1, 6, 39])
def test_the_best_words_of_each_row(words, count):
    draw = np.random.default_rng(words + count)
    logits = draw.standard_normal((3, 2, words)).astype(np.float32)
    banned = draw.integers(0, words, (3, 2, 5)).astype(np.int32)
    ids, log_probs = run(words, logits, banned, count)
    want_ids, wanted = best_tokens(torch.tensor(logits), torch.tensor(banned), count)
    np.testing.assert_allclose(log_probs, wanted.numpy(), atol=2e-6)
    live = wanted.numpy() > STRUCK / 2
    np.testing.assert_array_equal(ids[live], want_ids.numpy()[live])


def test_all_words_come_and_no_padding():
    words = BLOCK + 3
    logits = np.random.default_rng(0).standard_normal((1, 1, words)).astype(np.float32)
    ids, log_probs = run(words, logits, np.array([[[0, 2]]], np.int32), words)
    assert sorted(ids.ravel()) == list(range(words))
    assert {*ids.ravel()[-2:]} == {0, 2}  # banned words come last, padding never
    np.testing.assert_array_equal(log_probs.ravel()[-2:], STRUCK)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("words", [5, 40, 5 * BLOCK + 1])
@pytest.mark.parametrize("count", [1, 5, 39, 90])
def test_rounded_logits_choose_words_and_stored_weights_score_them(dtype, words, count):
    count = min(count, words)
    torch.manual_seed(words + count)
    stored = {"weight": torch.randn(words, HIDDEN).to(dtype), "bias": torch.randn(words).to(dtype)}
    output = torch.randn(3, 2, HIDDEN)
    exact = output @ stored["weight"].float().T + stored["bias"].float()
    rounded = exact + 0.05 * torch.randn_like(exact)
    banned = exact.topk(2, -1).indices.int()  # what would be scored again if it were not banned
    ids, log_probs = run(words, rounded.numpy(), banned.numpy(), count, stored, d=output.numpy())
    chosen = min(max(count, RESCORED), words)
    struck = torch.log_softmax(rounded, -1).scatter(-1, banned.long(), STRUCK)
    best = struck.topk(chosen, -1).indices
    again = best[..., :MOST_RESCORED]
    mixed = rounded.scatter(-1, again, exact.gather(-1, again))
    # banned words are not scored again: their probability stays the rounded one
    mixed = mixed.scatter(-1, banned.long(), rounded.gather(-1, banned.long()))
    wanted = torch.log_softmax(mixed, -1).scatter(-1, banned.long(), STRUCK)
    within = torch.full_like(wanted, -np.inf).scatter(-1, best, wanted.gather(-1, best))
    want_log_probs, want_ids = within.topk(count, -1)
    np.testing.assert_allclose(log_probs, want_log_probs.numpy(), atol=1e-5)
    live = want_log_probs.numpy() > STRUCK / 2
    np.testing.assert_array_equal(ids[live], want_ids.numpy()[live])
