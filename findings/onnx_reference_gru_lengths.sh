#!/usr/bin/env bash
# The reference implementation of ONNX reads past the end of a GRU's sequences.
#
# One would guess: onnx.reference is what others are measured by, so it heeds every input of an operator, or
# refuses it.
# What happens with onnx 1.23.2: a GRU's `sequence_lens` is taken and not used. The last state of a sequence
# of one step in a batch of four steps is that after four; ONNX Runtime 1.32.0 gives that after one.
# Source: onnx/reference/ops/op_gru.py, whose _run never reads sequence_lens.
#
# Exit 1: something else was seen.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0
HOME="$folder" ORT_DISABLE_TELEMETRY=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

draw = numpy.random.default_rng(0)
shapes = {"w": (1, 6, 3), "r": (1, 6, 2)}
weights = [
    numpy_helper.from_array(draw.normal(size=shape).astype(numpy.float32), name)
    for name, shape in shapes.items()
]
names = ["x", "w", "r", "", "lengths"]
node = helper.make_node("GRU", names, ["all", "last"], hidden_size=2, linear_before_reset=1)
inputs = [
    helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 2, 3]),
    helper.make_tensor_value_info("lengths", TensorProto.INT32, [2]),
]
output = helper.make_tensor_value_info("last", TensorProto.FLOAT, [1, 2, 2])
graph = helper.make_graph([node], "gru", inputs, [output], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
onnx.checker.check_model(model, full_check=True)
x = draw.normal(size=(4, 2, 3)).astype(numpy.float32)
session = onnxruntime.InferenceSession(
    model.SerializeToString(), providers=["CPUExecutionProvider"]
)


def last(run, lengths):
    (states,) = run(None, {"x": x, "lengths": numpy.array(lengths, numpy.int32)})
    return states[0, 1].round(3).tolist()


print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
reference = [last(ReferenceEvaluator(model).run, lengths) for lengths in ([4, 4], [4, 1])]
runtime = [last(session.run, lengths) for lengths in ([4, 4], [4, 1])]
print("the second sequence's last state, of 4 steps and of 1")
print("  onnx.reference:", *reference)
print("  ONNX Runtime:  ", *runtime)
as_expected = reference[0] == reference[1] == runtime[0] != runtime[1]
sys.exit(not as_expected)
PYTHON
