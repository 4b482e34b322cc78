"""The matrix products of a bundle's graph, cut out of it: what no engine of it can leave undone.

The products read what the whole graph computes for them, and their results lead nowhere. Weights
are the bundle's, by the same nodes, so a session prepares and streams them as it does for replies.
A GRU becomes its two products: the inputs of all steps at once, and the state once a step, in a
Loop, because each step of a recurrence reads the weights again. Gates and biases are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from empgan_rt.packages import import_module

_PRODUCTS = ("MatMul", "Gemm", "MatMulInteger", "GRU")


@dataclass(frozen=True)
class FloorGraph:
    """A graph's products, and the graph that shows what they read.

    Attributes:
        probe: the graph, which returns `activations` too; ONNX bytes.
        floor: the products alone; `activations` are its inputs; ONNX bytes.
        activations: names of the tensors that products read and that are not weights.
    """

    probe: bytes
    floor: bytes
    activations: Sequence[str]


def floor_graph(graph: bytes) -> FloorGraph:
    """Return the products of a graph in ONNX bytes.

    Raises:
        DependencyError: the package onnx is not installed, or damaged.
    """
    onnx = import_module(
        "onnx",
        "onnx is not installed, and the floor's graphs are made with it",
        hint="pip install 'empgan-rt[export]'",
    )
    model = onnx.load_model_from_string(graph)
    constant, products = _split(model.graph)
    weights = {t.name for t in model.graph.initializer}.union(*(node.output for node in constant))
    makers = {name: node for node in model.graph.node for name in node.output}
    kinds: dict[str, int] = {}  # activation -> its type
    dequantised = []  # what a product of integers is written with: they are part of it
    for node in products:
        for name in _operands(node):
            maker = makers.get(name)
            if name in weights:
                continue
            if maker is not None and maker.op_type == "DequantizeLinear":
                dequantised.append(maker)
                kinds[maker.input[0]] = onnx.TensorProto.UINT8
            else:
                is_integer = node.op_type == "MatMulInteger"
                kinds[name] = onnx.TensorProto.UINT8 if is_integer else onnx.TensorProto.FLOAT
    known = {tensor.name for tensor in (*model.graph.input, *model.graph.output)}
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(onnx.ValueInfoProto(name=n) for n in kinds if n not in known)
    cut = dequantised
    for node in products:
        cut += _gru_products(onnx, node) if node.op_type == "GRU" else [_bare(onnx, node)]
    nodes = [*_needed(constant, cut), *cut]
    used = {name for node in nodes for name in node.input}
    stored = [tensor for tensor in model.graph.initializer if tensor.name in used]
    for field in ("node", "input", "output", "initializer"):
        model.graph.ClearField(field)
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(stored)
    model.graph.input.extend(
        onnx.helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()
    )
    model.graph.output.extend(
        onnx.ValueInfoProto(name=node.output[0])
        for node in cut
        if node.op_type in (*_PRODUCTS, "Loop")
    )
    return FloorGraph(probe.SerializeToString(), model.SerializeToString(), [*kinds])


def _split(graph: Any) -> tuple[list[Any], list[Any]]:
    """Return the nodes that rest on weights alone, and the products that do not."""
    known = {tensor.name for tensor in graph.initializer}
    constant, products = [], []
    for node in graph.node:  # in an order in which they can be computed
        if all(name in known for name in node.input if name):
            constant.append(node)
            known.update(node.output)
        elif node.op_type in _PRODUCTS:
            products.append(node)
    return constant, products


def _operands(node: Any) -> list[str]:
    """Return the names that a product multiplies; a bias is none, a zero point is a constant."""
    if node.op_type == "GRU":
        return [node.input[0], node.input[1], node.input[2], node.input[5]]  # X, W, R, initial_h
    return list(node.input[:2])


def _bare(onnx: Any, node: Any) -> Any:
    """Return a product without the bias that a Gemm adds."""
    bare = onnx.NodeProto()
    bare.CopyFrom(node)
    if node.op_type == "Gemm":
        del bare.input[2:]
    return bare


def _gru_products(onnx: Any, node: Any) -> list[Any]:
    """Return the products of a GRU over inputs (L, U, E): one for the inputs, L for the state."""
    make, result = onnx.helper.make_node, node.output[0]
    inputs, weight_ih, weight_hh, initial = _operands(node)
    across = []
    nodes = []
    for weight in (weight_ih, weight_hh):  # (1, 3 H, E or H), one direction
        flat, turned = f"{result}/{weight}/flat", f"{result}/{weight}/across"
        nodes += [
            make("Squeeze", [weight], [flat]),
            make("Transpose", [flat], [turned], perm=[1, 0]),
        ]
        across.append(turned)
    step, go_on = f"{result}/step", f"{result}/go_on"
    body = onnx.helper.make_graph(
        [
            make("MatMul", [initial, across[1]], [step]),
            make("Identity", [f"{go_on}/in"], [go_on]),
        ],
        f"{result}/body",
        [
            onnx.helper.make_tensor_value_info(f"{result}/at", onnx.TensorProto.INT64, []),
            onnx.helper.make_tensor_value_info(f"{go_on}/in", onnx.TensorProto.BOOL, []),
            onnx.helper.make_tensor_value_info(f"{step}/before", onnx.TensorProto.FLOAT, None),
        ],
        [
            onnx.helper.make_tensor_value_info(go_on, onnx.TensorProto.BOOL, []),
            onnx.helper.make_tensor_value_info(step, onnx.TensorProto.FLOAT, None),
        ],
    )
    return [
        *nodes,
        make("MatMul", [inputs, across[0]], [f"{result}/inputs"]),
        make("Shape", [inputs], [f"{result}/steps"], start=0, end=1),
        make("Loop", [f"{result}/steps", "", initial], [f"{result}/states"], body=body),
    ]


def _needed(constant: Sequence[Any], nodes: Sequence[Any]) -> list[Any]:
    """Return those of the constant nodes that some nodes rest on, in their order."""
    wanted = {name for node in nodes for name in node.input}
    kept = []
    for node in reversed(constant):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]
