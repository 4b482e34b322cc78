"""Each known trap is named; clean graphs pass."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from empgan_export.lint import lint
from empgan_rt.errors import ParityError


def _model(*nodes, initializers=(), domain=""):
    graph = helper.make_graph(
        nodes,
        "trial",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, 18)])


def test_clean_graph_passes():
    gru = helper.make_node("GRU", ["x", "w", "r"], ["y"], hidden_size=2, linear_before_reset=1)
    lint(_model(gru, initializers=[numpy_helper.from_array(np.float32([-1e4]), "c")]))
    best = helper.make_node("TopK", ["x", "k"], ["y", "i"])
    lint(_model(best))
    lint(_model(best, initializers=[numpy_helper.from_array(np.array([3840]), "k")]))


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        (_model(helper.make_node("NonZero", ["x"], ["y"])), "NonZero"),
        (_model(helper.make_node("SequenceAt", ["x", "i"], ["y"])), "SequenceAt"),
        (_model(helper.make_node("Loop", ["x"], ["y"])), "Loop"),
        (_model(helper.make_node("GRU", ["x", "w", "r"], ["y"])), "linear_before_reset"),
        (
            _model(
                helper.make_node("GRU", ["x", "w", "r"], ["y"], layout=1, linear_before_reset=1)
            ),
            "layout 1",
        ),
        (
            _model(
                helper.make_node("GRU", ["x", "w", "r", "", "len"], ["y"], linear_before_reset=1)
            ),
            "sequence lengths",
        ),
        (
            _model(initializers=[numpy_helper.from_array(np.float32([-1e9]), "mask")]),
            "mask is beyond float16",
        ),
        (
            _model(
                helper.make_node("TopK", ["x", "k"], ["y", "i"]),
                initializers=[numpy_helper.from_array(np.array([3841]), "k")],
            ),
            "more than 3840",
        ),
        (
            _model(
                helper.make_node("Constant", [], ["k"], value_ints=[5000]),
                helper.make_node("TopK", ["x", "k"], ["y", "i"]),
            ),
            "more than 3840",
        ),
        (_model(domain="com.microsoft"), "outside the standard"),
    ],
)
def test_each_trap_is_named(model, fault):
    with pytest.raises(ParityError, match=fault):
        lint(model)
