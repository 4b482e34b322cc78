"""Constants come out as tensors and mean what they meant."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from empgan_export.plain_constants import write_constants_as_tensors


def _graph(node, kind, inputs=()):
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, [None]) for name in inputs]
    return helper.make_graph(
        [node], "trial", given, [helper.make_tensor_value_info("y", kind, None)]
    )


def _value(graph, feeds):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    (value,) = ReferenceEvaluator(model).run(None, feeds)
    return value


@pytest.mark.parametrize(
    ("bare", "kind"),
    [
        ({"value_int": -3}, TensorProto.INT64),
        ({"value_ints": [0, 0, -1]}, TensorProto.INT64),
        ({"value_float": 0.1}, TensorProto.FLOAT),
        ({"value_floats": [0.5, -1e-6]}, TensorProto.FLOAT),
        ({"value": helper.make_tensor("", TensorProto.UINT8, [2], [1, 255])}, TensorProto.UINT8),
    ],
)
def test_a_constant_becomes_the_tensor_that_it_was(bare, kind):
    graph = _graph(helper.make_node("Constant", [], ["y"], **bare), kind)
    before = _value(graph, {})
    write_constants_as_tensors(graph)
    assert [attribute.name for attribute in graph.node[0].attribute] == ["value"]
    after = _value(graph, {})
    assert (after.dtype, after.shape) == (before.dtype, before.shape)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(("given", "kind"), [({}, 1), ({"value": -2}, 6)])
def test_a_value_left_out_is_written_and_one_given_stays(given, kind):
    value = {n: helper.make_tensor("", kind, [1], [v]) for n, v in given.items()}
    graph = _graph(helper.make_node("ConstantOfShape", ["n"], ["y"], **value), kind, "n")
    before = _value(graph, {"n": np.array([2, 3])})
    write_constants_as_tensors(graph)
    assert [attribute.name for attribute in graph.node[0].attribute] == ["value"]
    after = _value(graph, {"n": np.array([2, 3])})
    assert (after.dtype, after.shape) == (before.dtype, before.shape)
    np.testing.assert_array_equal(after, before)
