"""Traces a graph and makes it what `empgan_rt.graph_spec` promises.

Weights are traced as inputs, so that no exporter folds, copies or renames them; afterwards they
become initialisers that refer to `weights.safetensors`, each under its parameter's name. Where the
graph computes in another type than the file holds, a Cast follows: of the weight, or of the rows
that are looked up in it.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.export import Dim

from empgan_rt.errors import ParityError
from empgan_rt.graph_spec import CONTINUED, GraphSpec

from .lint import OPSET
from .plain_constants import write_constants_as_tensors
from .translations import TRANSLATIONS

WEIGHTS_FILE = "weights.safetensors"
_TRACED_SIZES = {
    "U": 9,
    "B": 2,
    "M": 3,
    "P": 8,
    "L": 6,
    "N": 5,
    "K": 4,
    "S": 7,
    "E": 10,
    "T": 11,
}  # none 1, none equal
_ELEMENT = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "int64": TensorProto.INT64}
# Graphs whose tables are cast as a whole: TensorRT-RTX 1.7 cannot build the context encoder of a
# flat context (Emo-S2S, SeqGAN) with rows that are cast after their lookup.
_CAST_WHOLE = frozenset({"context_encoder", CONTINUED})
_STORED = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}


@dataclass(frozen=True)
class StoredTensor:
    """The place of a weight in `weights.safetensors`."""

    dtype: str  # safetensors' name
    shape: tuple[int, ...]
    offset: int  # bytes from the start of the file
    length: int  # bytes


def stored_tensors(weights: bytes) -> dict[str, StoredTensor]:
    """Return the place of every tensor of a safetensors file."""
    header = int.from_bytes(weights[:8], "little")
    table = json.loads(weights[8 : 8 + header])
    table.pop("__metadata__", None)
    places = {}
    for name, entry in table.items():
        begin, end = entry["data_offsets"]
        places[name] = StoredTensor(
            entry["dtype"], tuple(entry["shape"]), 8 + header + begin, end - begin
        )
    return places


class _Stateless(nn.Module):
    """Calls a module with weights that come as inputs."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = [module]  # in a list, so that its parameters are not ours

    def forward(self, weights: dict[str, Tensor], *inputs: Tensor) -> tuple[Tensor, ...]:
        outputs: tuple[Tensor, ...] = torch.func.functional_call(self.module[0], weights, inputs)
        return outputs


def trace(
    module: nn.Module, spec: GraphSpec, stored: Mapping[str, StoredTensor]
) -> tuple[onnx.ModelProto, dict[str, str]]:
    """Return the graph of a module, its weights inputs as yet, and their names in it.

    Args:
        module: one of `graphs`, which holds a generator.
        spec: names, types and dynamic axes of what the module reads and returns.
        stored: the weights file; every parameter that the module reads must be in it.
    """
    parameters = dict(module.named_parameters())
    names = {name.removeprefix("generator."): name for name in parameters}
    names = {name: traced for name, traced in names.items() if name in stored}
    weights = {traced: parameters[traced].detach() for traced in names.values()}
    inputs = spec.inputs
    dims = {name: Dim(name, min=1) for name in _TRACED_SIZES}
    examples = []
    for tensor in inputs:
        shape = [_TRACED_SIZES[a] if isinstance(a, str) else a for a in tensor.axes]
        dtype = getattr(torch, tensor.dtype)
        examples.append(torch.ones(shape, dtype=dtype))  # token 1, label 1, parent 1
    shapes = tuple({i: dims[a] for i, a in enumerate(t.axes) if isinstance(a, str)} for t in inputs)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations and axis aliases
        program = torch.onnx.export(
            _Stateless(module.eval()),
            (weights, *examples),
            dynamo=True,
            opset_version=OPSET,
            input_names=[*weights, *(t.name for t in inputs)],
            output_names=[t.name for t in spec.outputs],
            dynamic_shapes=(dict.fromkeys(weights), shapes),
            custom_translation_table=TRANSLATIONS,
            verbose=False,
        )
    if program is None:
        raise ParityError("PyTorch's exporter returned no graph")
    return program.model_proto, names


def finish(
    model: onnx.ModelProto,
    names: Mapping[str, str],
    stored: Mapping[str, StoredTensor],
    spec: GraphSpec,
) -> onnx.ModelProto:
    """Return a traced graph with its weights outside, signed as `spec` has it.

    Args:
        model: from `trace`, possibly with nodes added; changed in place.
        names: from `trace`.
        stored: the weights file.
        spec: signature of the whole graph.
    """
    _attach_weights(model.graph, names, stored, casts_rows=spec.name not in _CAST_WHOLE)
    write_constants_as_tensors(model.graph)
    _declare(model.graph, spec)
    _strip(model)
    return model


def _attach_weights(
    graph: onnx.GraphProto,
    names: Mapping[str, str],
    stored: Mapping[str, StoredTensor],
    *,
    casts_rows: bool,
) -> None:
    """Turn weight inputs that are read into external initialisers, cast to their own types.

    Args:
        casts_rows: whether rows that are looked up are cast, and not their table.
    """
    types = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    nodes = list(graph.node)
    for name, traced in sorted(names.items()):
        readers = [node for node in nodes if traced in node.input]
        if not readers:
            continue
        graph.initializer.append(_external(name, stored[name]))
        casts, whole = graph.initializer[-1].data_type != types[traced], f"{name}:cast"
        for node in readers:
            looks_up = casts_rows and _is_lookup(node, traced)
            source = whole if casts and not looks_up else name
            node.input[:] = [source if used == traced else used for used in node.input]
            if casts and looks_up:
                nodes.insert(nodes.index(node) + 1, _cast_of_rows(node, types[traced]))
        if any(whole in node.input for node in readers):
            nodes.insert(0, _cast(name, whole, types[traced]))
    del graph.node[:]
    graph.node.extend(nodes)


def _external(name: str, place: StoredTensor) -> onnx.TensorProto:
    """Return an initialiser that refers to the weights file."""
    tensor = onnx.TensorProto(
        name=name,
        data_type=_STORED[place.dtype],
        dims=place.shape,
        data_location=TensorProto.EXTERNAL,
    )
    for key, value in (
        ("location", WEIGHTS_FILE),
        ("offset", str(place.offset)),
        ("length", str(place.length)),
    ):
        tensor.external_data.add(key=key, value=value)
    return tensor


def _is_lookup(node: onnx.NodeProto, table: str) -> bool:
    """Return whether a node takes rows of a table, and reads it in no other way."""
    return node.op_type == "Gather" and node.input[0] == table and table not in node.input[1:]


def _cast_of_rows(lookup: onnx.NodeProto, to: int) -> onnx.NodeProto:
    """Return the node that casts the rows of a lookup, which is renamed to make room for it.

    ONNX Runtime would keep the cast of a whole table beside the table.
    """
    rows = lookup.output[0]
    lookup.output[0] = f"{rows}:stored"
    return _cast(lookup.output[0], rows, to)


def _cast(source: str, result: str, to: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [result], f"cast {source}", to=to)


def _declare(graph: onnx.GraphProto, spec: GraphSpec) -> None:
    """Write the inputs and outputs of the graph as the spec has them."""
    for field, tensors in ((graph.input, spec.inputs), (graph.output, spec.outputs)):
        del field[:]
        for tensor in tensors:
            shape = [axis if isinstance(axis, (str, int)) else None for axis in tensor.axes]
            field.append(helper.make_tensor_value_info(tensor.name, _ELEMENT[tensor.dtype], shape))
    del graph.value_info[:]
    graph.name = spec.name


def _strip(model: onnx.ModelProto) -> None:
    """Remove what tells of the machine that traced: stack traces, scopes, producer details."""
    del model.metadata_props[:]
    model.doc_string = ""
    model.producer_name, model.producer_version = "empgan-rt", ""
    model.graph.doc_string = ""
    del model.graph.metadata_props[:]
    for item in (*model.graph.node, *model.graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
