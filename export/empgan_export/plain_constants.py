"""Writes constants in the one form that every reader of ONNX knows: as tensors, none left out.

A `Constant` may hold a bare number or a list instead of a tensor, and a `ConstantOfShape` may leave
its value out. Both are standard, and libraries that rewrite or run graphs misread them: one takes a
bare float for no tensor and fails later, one refuses a value that is not written.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

_BARE = {
    "value_int": np.int64,
    "value_ints": np.int64,
    "value_float": np.float32,
    "value_floats": np.float32,
}


def write_constants_as_tensors(graph: onnx.GraphProto) -> None:
    """Give every constant of a graph a tensor as its `value`; the graph is changed in place.

    A number becomes a tensor without axes, a list one with one axis, as the standard has it.
    """
    for node in graph.node:
        if node.op_type == "Constant":
            (attribute,) = node.attribute
            if attribute.name in _BARE:
                bare = helper.get_attribute_value(attribute)
                _give_value(node, np.array(bare, _BARE[attribute.name]))
        elif node.op_type == "ConstantOfShape" and not node.attribute:
            _give_value(node, np.zeros(1, np.float32))  # what the standard takes instead


def _give_value(node: onnx.NodeProto, value: npt.NDArray[Any]) -> None:
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(value)))
