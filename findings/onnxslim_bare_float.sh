#!/usr/bin/env bash
# Slimming a graph turns a float32 constant into a float64 one.
#
# One would guess: a tool that makes graphs smaller keeps the types of their tensors.
# What happens with onnxslim 0.1.98: a Constant that holds a bare number (`value_float`, by the standard a float32
# tensor) comes out as a double, and x + 1 in float32 is no valid graph any more: ONNX Runtime 1.32.0 refuses
# it. The same constant as a tensor (`value`) is kept.
# Source: onnx's operator Constant, attribute value_float; onnxslim/third_party/onnx_graphsurgeon reads it.
#
# Exit 1: something else was seen.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 onnxslim==0.1.98 onnxruntime==1.32.0
HOME="$folder" ORT_DISABLE_TELEMETRY=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy
import onnx
import onnxruntime
import onnxslim
from onnx import TensorProto, helper, numpy_helper

EXPECTED = [("bare number", False), ("tensor", True)]


def model(**constant):
    nodes = [
        helper.make_node("Constant", [], ["c"], **constant),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    graph = helper.make_graph(nodes, "add", [x], [y])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    return made


def runs(made):
    try:
        session = onnxruntime.InferenceSession(
            made.SerializeToString(), providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        print("    ONNX Runtime:", str(error).splitlines()[0][:110])
        return False
    print("    ONNX Runtime:", session.run(None, {"x": numpy.zeros(2, numpy.float32)})[0])
    return True


print("onnxslim", onnxslim.__version__)
seen = []
tensor = numpy_helper.from_array(numpy.float32(1))
for name, constant in (("bare number", {"value_float": 1.0}), ("tensor", {"value": tensor})):
    print(f"a constant that is a {name}")
    print("  before")
    assert runs(model(**constant))
    slim = onnxslim.slim(model(**constant))
    kinds = [TensorProto.DataType.Name(t.data_type) for t in slim.graph.initializer]
    print("  after, the constant is", *kinds)
    seen.append((name, runs(slim)))
sys.exit(seen != EXPECTED)
PYTHON
