"""Each known trap is named; clean graphs pass."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from empgan_export.lint import lint
from empgan_rt.bundle.bundle import EMBEDDED, Bundle
from empgan_rt.errors import ParityError
from empgan_rt.verification.audit import graph_names


def _model(*nodes, initializers=(), domain="", opset=18):
    graph = helper.make_graph(
        nodes,
        "trial",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, opset)])


def test_clean_graph_passes():
    gru = helper.make_node("GRU", ["x", "w", "r"], ["y"], hidden_size=2, linear_before_reset=1)
    lint(_model(gru, initializers=[numpy_helper.from_array(np.float32([-1e4]), "c")]))
    best = helper.make_node("TopK", ["x", "k"], ["y", "i"])
    lint(_model(best))
    lint(_model(best, initializers=[numpy_helper.from_array(np.array([3840]), "k")]))
    number = numpy_helper.from_array(np.array([3840]))
    lint(_model(helper.make_node("Constant", [], ["k"], value=number), best))
    lint(_model(helper.make_node("ConstantOfShape", ["x"], ["y"], value=number)))
    lint(_model(helper.make_node("DequantizeLinear", ["x", "s"], ["y"], axis=1)))


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
        (
            _model(
                helper.make_node(
                    "Constant", [], ["k"], value=numpy_helper.from_array(np.array([5000]))
                ),
                helper.make_node("TopK", ["x", "k"], ["y", "i"]),
            ),
            "more than 3840",
        ),
        (_model(domain="com.microsoft"), "outside the standard"),
        (_model(helper.make_node("Constant", [], ["y"], value_float=0.5)), "value_float is no ten"),
        (
            _model(helper.make_node("Constant", [], ["y"], value_ints=[1])),
            "value_ints is no tensor",
        ),
        (_model(helper.make_node("ConstantOfShape", ["x"], ["y"])), "ConstantOfShape without"),
        (_model(opset=19), "opset 19 is not 18"),
    ],
)
def test_each_trap_is_named(model, fault):
    with pytest.raises(ParityError, match=fault):
        lint(model)


@pytest.mark.parametrize("name", EMBEDDED)
def test_graphs_of_embedded_bundles_are_free_of_traps(name):
    bundle = Bundle.open(name)
    for graph in graph_names(bundle):
        lint(onnx.load_from_string(bundle.files[graph]))
