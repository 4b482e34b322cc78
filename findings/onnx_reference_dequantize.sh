#!/usr/bin/env bash
# The reference implementation of ONNX has no DequantizeLinear for most graphs that use it.
#
# One would guess: onnx.reference runs every operator of the standard at every opset since it came.
# What happens with onnx 1.23.2: DequantizeLinear stands in the standard since opset 10; a valid graph of opset
# 10, 13 or 18 is refused ("No implementation ... version 13, found 19, ..."), the same node at 19 runs.
# Source: onnx/reference/ops/op_dequantize_linear.py, whose classes begin with DequantizeLinear_19.
#
# Exit 1: something else was seen.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2
HOME="$folder" ORT_DISABLE_TELEMETRY=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

print("onnx", onnx.__version__)
node = helper.make_node("DequantizeLinear", ["x", "scale"], ["y"])
graph = helper.make_graph(
    [node],
    "dequantize",
    [
        helper.make_tensor_value_info("x", TensorProto.INT8, [2]),
        helper.make_tensor_value_info("scale", TensorProto.FLOAT, []),
    ],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
)
feeds = {"x": numpy.array([1, 2], numpy.int8), "scale": numpy.float32(0.5)}
runs = []
for opset in (10, 13, 18, 19):
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    try:
        (seen,) = ReferenceEvaluator(model).run(None, feeds)
    except RuntimeError as error:
        seen = error
    runs.append(not isinstance(seen, RuntimeError))
    print(f"opset {opset}: {seen}")
sys.exit(runs != [False, False, False, True])
PYTHON
