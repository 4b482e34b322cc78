"""The end of a decoder step alone: log-softmax, struck words and exact top-k by blocks."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper

from empgan_export.best_words import BELOW_STRUCK, BLOCK, best_words
from empgan_rt.graph_spec import STRUCK
from empgan_training.eager import best_tokens


def session(words):
    inputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", "K", "W"]),
        helper.make_tensor_value_info("banned", TensorProto.INT32, ["B", "K", "S"]),
        helper.make_tensor_value_info("num_candidates", TensorProto.INT64, [1]),
    ]
    outputs = [
        helper.make_tensor_value_info("candidate_ids", TensorProto.INT32, ["B", "K", "C"]),
        helper.make_tensor_value_info("candidate_log_probs", TensorProto.FLOAT, ["B", "K", "C"]),
    ]
    graph = helper.make_graph(best_words(words), "best_words", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(words, logits, banned, count):
    padding = ((0, 0), (0, 0), (0, -words % BLOCK))
    padded = np.pad(logits, padding, constant_values=BELOW_STRUCK)
    feeds = {"logits": padded, "banned": banned, "num_candidates": np.array([count])}
    return session(words).run(["candidate_ids", "candidate_log_probs"], feeds)


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
