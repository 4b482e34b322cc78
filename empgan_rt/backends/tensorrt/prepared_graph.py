"""A bundle's graph as TensorRT is given it: rewritten in memory, the same function.

- Weights lie inside, so that nothing is read from or written to a disk.
- The decoder step has a fixed number of beams and of candidates.
- Integers are signed without a zero point, and what quantises is constant. TensorRT refuses the
  unsigned ones that ONNX Runtime is fastest with, and zero points or weights that are computed.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ...bundle.manifest import WEIGHTS_NAME
from ...errors import BundleError
from ...graph_spec import GraphSpec, TensorSpec
from ...packages import import_module

_INTEGERS = ("QuantizeLinear", "DequantizeLinear")
_CANDIDATES = "num_candidates"


def fixed_spec(spec: GraphSpec, beam: int | None, candidates: int | None) -> GraphSpec:
    """Return the signature of a graph whose axes K and C are numbers, `num_candidates` gone."""
    sizes = {"K": beam, "C": candidates}

    def fixed(tensors: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        return tuple(
            dataclasses.replace(t, axes=tuple(sizes.get(str(a)) or a for a in t.axes))
            for t in tensors
            if t.name != _CANDIDATES
        )

    return dataclasses.replace(spec, inputs=fixed(spec.inputs), outputs=fixed(spec.outputs))


def prepared_graph(
    graph: bytes, weights: bytes, beam: int | None = None, candidates: int | None = None
) -> bytes:
    """Return the ONNX bytes that an engine is built from.

    Args:
        graph: ONNX bytes of the bundle.
        weights: the file that they refer to.
        beam: K of a decoder step; None for encoders.
        candidates: C of a decoder step; None for encoders.

    Raises:
        DependencyError: the package onnx is not installed.
        BundleError: the graph is damaged, or refers to data that is not there.
    """
    missing = "onnx is not installed, and engines cannot be built without it"
    onnx = import_module("onnx", missing, hint="pip install 'empgan-rt[tensorrt]'")
    import_module("onnx.reference", missing, hint="pip install 'empgan-rt[tensorrt]'")
    try:
        model = onnx.load_model_from_string(graph)
    except Exception as error:  # protobuf's errors have no base that onnx would export
        raise BundleError(f"a graph is no ONNX model ({type(error).__name__})") from None
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _take_in(onnx, tensor, weights)
    if beam is not None and candidates is not None:
        _fix(onnx, model.graph, beam, candidates)
    _make_signed(onnx, model.graph)
    _fold(onnx, model)
    return bytes(model.SerializeToString(deterministic=True))


def _take_in(onnx: Any, tensor: Any, weights: bytes) -> None:
    """Put the data of an initialiser inside."""
    place = {entry.key: entry.value for entry in tensor.external_data}
    try:
        offset, length = int(place.get("offset", "0")), int(place["length"])
    except (KeyError, ValueError):
        offset, length = -1, 0
    end = offset + length
    if place.get("location") != WEIGHTS_NAME or not 0 <= offset <= end <= len(weights):
        raise BundleError(
            f"{tensor.name[:60]!r} refers to data that is not in {WEIGHTS_NAME}",
            hint="look at the bundle with `empgan-rt inspect --untrusted`",
        )
    tensor.raw_data = weights[offset:end]
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]


def _fix(onnx: Any, graph: Any, beam: int, candidates: int) -> None:
    """Make numbers of the axis K and the input `num_candidates`."""
    for value in (*graph.input, *graph.output):
        for axis in value.type.tensor_type.shape.dim:
            for name, size in (("K", beam), ("C", candidates)):
                if axis.dim_param == name:
                    axis.dim_value = size
    kept = [value for value in graph.input if value.name != _CANDIDATES]
    del graph.input[:]
    graph.input.extend(kept)
    array = np.array([candidates], np.int64)
    graph.initializer.append(onnx.numpy_helper.from_array(array, _CANDIDATES))


def _make_signed(onnx: Any, graph: Any) -> None:
    """Exchange unsigned zero points for signed zeros: the levels on either side stay the same."""
    zero_points = {node.input[2] for node in graph.node if node.op_type in _INTEGERS}
    for tensor in graph.initializer:
        if tensor.name in zero_points and tensor.data_type == onnx.TensorProto.UINT8:
            zeros = np.zeros(tuple(tensor.dims), np.int8)
            tensor.CopyFrom(onnx.numpy_helper.from_array(zeros, tensor.name))


def _fold(onnx: Any, model: Any) -> None:
    """Compute what quantising nodes read if it depends on the weights alone."""
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    constant = set(stored)
    for node in graph.node:
        if node.op_type != "DequantizeLinear" and constant.issuperset(filter(None, node.input)):
            constant.update(node.output)
    going = (n for n in graph.node if not constant.issuperset(n.output))
    read = {name for n in going if n.op_type in _INTEGERS for name in n.input}
    wanted = sorted(read & constant - stored)
    if not wanted:
        return
    part = onnx.ModelProto()
    part.CopyFrom(model)
    del part.graph.input[:], part.graph.output[:]
    part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    _prune(part.graph)
    try:
        values = onnx.reference.ReferenceEvaluator(part).run(None, {})
    except Exception as error:  # any of NumPy's and its own
        raise BundleError(
            f"the constants of {graph.name[:60]!r} cannot be computed: {type(error).__name__}"
        ) from error
    kept = [node for node in graph.node if not {*node.output} & {*wanted}]
    del graph.node[:]
    graph.node.extend(kept)
    for name, value in zip(wanted, values, strict=True):
        array = np.ascontiguousarray(value)
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    _prune(graph)


def _prune(graph: Any) -> None:
    """Remove what no output depends on."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & {*node.output}:
            needed.update(node.input)
            kept.append(node)
    tensors = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(tensors)
