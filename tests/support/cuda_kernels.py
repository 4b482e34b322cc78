"""Operators of opset 18 that ONNX Runtime's CUDA provider has kernels for, and their types.

Copied, for the operators that our graphs use, from the section of that provider in
docs/OperatorKernels.md of microsoft/onnxruntime (commit 001d12d2): the version that holds at opset
18, and the types of the input named beside it.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

HALF_FLOAT = {"float16", "float"}
WITH_INT64 = HALF_FLOAT | {"int64"}
NUMBERS = WITH_INT64 | {"int32"}
ANY = NUMBERS | {"bool", "int8", "uint8", "int16"}
KERNELS: dict[str, set[str]] = {
    **dict.fromkeys(("Exp", "Floor", "Log", "Round", "Sigmoid", "Sqrt", "Tanh"), HALF_FLOAT),
    **dict.fromkeys(("GRU", "Gemm", "LogSoftmax", "MatMul", "Softmax"), HALF_FLOAT),
    **dict.fromkeys(
        ("Abs", "Add", "CumSum", "Div", "Max", "Min", "Mod", "Mul", "Sub", "TopK"),
        NUMBERS,
    ),
    **dict.fromkeys(("GreaterOrEqual", "Less", "ReduceMax", "ReduceSum"), NUMBERS),
    **dict.fromkeys(
        ("Cast", "Concat", "ConstantOfShape", "Expand", "Gather", "GatherElements", "Identity"), ANY
    ),
    **dict.fromkeys(
        ("Reshape", "ScatterElements", "Shape", "Slice", "Split", "Squeeze", "Transpose"), ANY
    ),
    "Unsqueeze": ANY,
    "Clip": WITH_INT64 | {"int8", "uint8"},
    "DequantizeLinear": {"int8", "uint8"},
    "Equal": NUMBERS | {"bool"},
    "GatherND": WITH_INT64 | {"bool"},
    "Not": {"bool"},
    "Pad": HALF_FLOAT | {"bool"},
    "QuantizeLinear": {"float"},
    "Range": {"float", "int16", "int32", "int64"},
    "Where": NUMBERS | {"uint8"},
}


def without_kernel(model: onnx.ModelProto) -> Iterator[str]:
    """Yield the operators of a graph, with their types, that CUDA cannot compute."""
    versions = [opset.version for opset in model.opset_import]
    if versions != [18]:  # of a newer one the provider has no Equal and Pad
        yield f"opset {versions}"
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    for node in graph.node:
        if node.op_type == "Constant":  # folded into the graph before nodes are assigned
            continue
        typed = node.input[1 if node.op_type == "Where" else 0]
        name = onnx.TensorProto.DataType.Name(types[typed]).lower()
        if name not in KERNELS.get(node.op_type, ()):
            yield f"{node.op_type} of {name}"
