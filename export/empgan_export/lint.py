"""Refuses graphs that a runtime would misread: the traps of TensorRT, ONNX Runtime and others.

TensorRT's parser ignores `layout=1` of a GRU without a word and refuses 64-bit sequence lengths;
operators with data-dependent shapes have no kernel there, and a TopK of more than 3840 is read but
not built; a GRU without `linear_before_reset` is another GRU than PyTorch's; constants beyond
float16 overflow in half precision. In opset 19 Equal and Pad are of a new version, for which ONNX
Runtime's CUDA provider has no kernel, and would go to the CPU. Readers beyond these two
(docs/portability.md) misread constants that are no tensors or are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from empgan_rt.errors import ParityError

_NO_KERNEL = frozenset({"NonZero", "Compress", "Unique", "Multinomial", "RandomUniform"})
_CONTROL_FLOW = frozenset({"Loop", "If", "Scan"})
_LARGEST_HALF = 65504.0
_MOST_OF_TOPK = 3840
OPSET = 18


def lint(model: onnx.ModelProto) -> None:
    """Do nothing if a graph is free of known traps.

    Raises:
        ParityError: the message lists every fault found.
    """
    faults = list(_faults(model))
    if faults:
        raise ParityError(
            f"graph {model.graph.name}: {'; '.join(faults)}", hint="this is a fault of the exporter"
        )


def _faults(model: onnx.ModelProto) -> Iterator[str]:
    domains = {opset.domain for opset in model.opset_import} - {"", "ai.onnx"}
    if domains or model.functions:
        yield f"operators outside the standard: {sorted(domains)}, {len(model.functions)} functions"
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if opset != OPSET:
        yield f"opset {opset} is not {OPSET}, whose kernels every engine has"
    constants = _constants(model.graph)
    for node in model.graph.node:
        kind = node.op_type
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if kind in _NO_KERNEL or kind.startswith("Sequence"):
            yield f"{kind} has no kernel everywhere"
        if kind in _CONTROL_FLOW:
            yield f"{kind} keeps CUDA graphs from being captured"
        if kind == "Constant" and "value" not in attributes:
            yield f"Constant with {', '.join(sorted(attributes))} is no tensor"
        if kind == "ConstantOfShape" and "value" not in attributes:
            yield "ConstantOfShape without a value is not read everywhere"
        if kind == "TopK" and np.max(constants.get(node.input[1], 0)) > _MOST_OF_TOPK:
            yield f"TopK of more than {_MOST_OF_TOPK} is not built"
        if kind == "GRU":
            if attributes.get("layout", 0) != 0:
                yield "GRU layout 1 is misread"
            if attributes.get("linear_before_reset", 0) != 1:
                yield "GRU without linear_before_reset is not PyTorch's GRU"
            if len(node.input) > 4 and node.input[4]:
                yield "GRU sequence lengths are not needed and not portable"
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            continue
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and np.abs(values).max(initial=0.0) > _LARGEST_HALF:
            yield f"constant {tensor.name} is beyond float16"


def _constants(graph: onnx.GraphProto) -> dict[str, Any]:
    """Return the whole numbers that a graph holds, by name."""
    found: dict[str, Any] = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.INT64 and not tensor.external_data
    }
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                found[node.output[0]] = numpy_helper.to_array(attribute.t)
            elif node.op_type == "Constant" and attribute.name in ("value_int", "value_ints"):
                found[node.output[0]] = onnx.helper.get_attribute_value(attribute)
    return found
