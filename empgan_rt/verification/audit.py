"""What the graphs of a bundle from a stranger are searched for before anything runs them.

Hashes tell that a bundle is whole, not that it is benign. So the graphs may hold the operators that
exports write and no others, nothing that repeats or branches, no functions, and external data
nowhere but inside the bundle's own weights. What passes is tried in a child process (see
`quarantine`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..bundle.bundle import Bundle
from ..bundle.manifest import WEIGHTS_NAME
from ..errors import BundleError
from ..packages import import_module

STANDARD_DOMAINS = ("", "ai.onnx")
# What exports of all systems and precisions write (a test holds them to it) ...
_WRITTEN = (
    "Abs Add Cast Clip Concat Constant ConstantOfShape CumSum DequantizeLinear Div Equal Exp "
    "Expand Floor GRU Gather GatherElements GatherND Gemm GreaterOrEqual Identity Less Log "
    "LogSoftmax MatMul Max Min Mod Mul Not Pad QuantizeLinear Range ReduceMax ReduceSum Reshape "
    "Round ScatterElements Shape Sigmoid Slice Softmax Split Sqrt Squeeze Sub Tanh TopK "
    "Transpose Unsqueeze Where"
)
# ... and what another version of PyTorch's exporter might write instead, just as harmless.
_KINDRED = (
    "And ArgMax CastLike Ceil DynamicQuantizeLinear Flatten Greater LessOrEqual "
    "MatMulInteger Neg Or Pow Reciprocal ReduceMean ReduceMin Relu Sign Size Sum Tile Trilu"
)
OPERATORS = frozenset(f"{_WRITTEN} {_KINDRED}".split())
_DATA_KEYS = {"location", "offset", "length", "checksum"}


def audit(bundle: Bundle) -> None:
    """Do nothing if every graph of a bundle keeps to the rules above.

    Raises:
        BundleError: one does not; the message lists the first faults.
        DependencyError: the package onnx is not installed, or damaged.
    """
    onnx = import_module(
        "onnx",
        "onnx is not installed, and an audit of the graphs needs it",
        hint="pip install 'empgan-rt[export]'",
    )
    faults = []
    for name in graph_names(bundle):
        try:
            model = onnx.load_model_from_string(bundle.files[name])
        except Exception as error:  # protobuf's errors have no base that onnx would export
            faults.append(f"{name} is no ONNX model ({type(error).__name__})")
            continue
        faults += [f"{name}: {fault}" for fault in _faults(onnx, model, len(bundle.weights))]
    if faults:
        raise BundleError("; ".join(faults[:5]), hint="do not load this bundle")


def graph_names(bundle: Bundle) -> list[str]:
    """Return the file names of all graphs of a bundle."""
    variants = bundle.manifest.variants.values()
    return sorted({name for variant in variants for name in variant.graphs.values()})


def _faults(onnx: Any, model: Any, weights_size: int) -> Iterator[str]:
    """Yield what is wrong with a model."""
    if model.functions:
        yield f"{len(model.functions)} functions"
    if model.training_info:
        yield "training information"
    graph = model.graph
    tensors = [*graph.initializer]
    for sparse in graph.sparse_initializer:
        tensors += [sparse.values, sparse.indices]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                yield f"{node.op_type[:40]!r} with a graph inside"
            tensors += [attribute.t, *attribute.tensors]
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                tensors += [sparse.values, sparse.indices]
    for tensor in tensors:
        yield from _tensor_faults(onnx, tensor, weights_size)
    domains = {entry.domain for entry in model.opset_import} | {n.domain for n in graph.node}
    foreign = sorted(domains - {*STANDARD_DOMAINS})
    if foreign:
        yield f"operators of {', '.join(repr(domain[:40]) for domain in foreign[:3])}"
    unknown = sorted({node.op_type for node in graph.node} - OPERATORS)
    if unknown:
        yield f"operators that no export writes: {', '.join(repr(n[:40]) for n in unknown[:5])}"


def _tensor_faults(onnx: Any, tensor: Any, weights_size: int) -> Iterator[str]:
    """Yield what is wrong with where a tensor keeps its data."""
    entries = [(entry.key, entry.value) for entry in tensor.external_data]
    if tensor.data_location != onnx.TensorProto.EXTERNAL and not entries:
        return
    name = tensor.name[:60]
    place = dict(entries)
    if len(place) != len(entries) or not place.keys() <= _DATA_KEYS:
        yield f"external data of {name!r} has odd or repeated entries"
        return
    if place.get("location") != WEIGHTS_NAME:
        yield f"external data of {name!r} is not in {WEIGHTS_NAME}"
        return
    numbers = [place.get("offset", "0"), place.get("length", "")]
    if not all(number.isascii() and number.isdigit() and len(number) < 20 for number in numbers):
        yield f"external data of {name!r} has no sound offset and length"
        return
    offset, length = map(int, numbers)
    try:
        item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError, ValueError):
        yield f"{name!r} has an unknown type"
        return
    if offset + length > weights_size or math.prod(tensor.dims) * item != length:
        yield f"external data of {name!r} is out of range or of another size than its shape"
