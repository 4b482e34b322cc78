"""Bundles altered from a seed and sealed again, so that all digests are right; see `mutations`."""

from __future__ import annotations

import hashlib
import io
import json
import math
import random
import shutil
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper

from empgan_rt import Responder, SearchConfig
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.bundle.manifest import bundle_id_of, file_entry
from empgan_rt.cli.inspect import as_text, facts
from empgan_rt.threads import set_num_threads
from empgan_rt.verification.verify import verified
from support.mutations import mutated_bytes, mutated_json, outcome_of

Files = dict[str, bytes]
TURNS = ["I passed my exam!", "That is great. How do you feel?", "I 'm happy , and a bit sad ."]
SEARCH = SearchConfig(beam_size=2, max_length=6)


def try_one(base: str, folder: Path, seed: int) -> str:
    """Return what comes of opening, asking and verifying the bundle of a seed."""
    set_num_threads(1)
    write_mutated(base, folder, seed)
    try:
        return outcome_of(lambda: use(folder))
    finally:
        shutil.rmtree(folder)


def use(folder: Path) -> None:
    """Do with a bundle what users do."""
    bundle = Bundle.open(folder)
    record = facts(bundle)
    as_text(record)
    msgspec.json.encode(record)
    (precision,) = bundle.manifest.variants
    with Responder.load(folder, precision=precision) as responder:
        reply = responder.reply(TURNS, SEARCH)
    if not math.isfinite(reply.score) or any(i < 0 for i in reply.token_ids):
        raise AssertionError(f"a reply of score {reply.score}")
    reply.text.encode()
    verified(bundle, None, "onnxruntime", "cpu")


def write_mutated(base: str, folder: Path, seed: int) -> None:
    """Write one variant of the bundle `base` into a folder, altered once or twice, and seal it."""
    draw = random.Random(seed)
    bundle = Bundle.open(base)
    manifest = msgspec.to_builtins(bundle.manifest)
    precision = draw.choice(sorted(manifest["variants"]))
    variant = manifest["variants"][precision]
    manifest["variants"] = {precision: variant}
    dropped = {
        name for v in bundle.manifest.variants.values() for name in (*v.graphs.values(), v.goldens)
    }
    files = {n: data for n, data in bundle.files.items() if n not in dropped - {*variant.values()}}
    fields = {n: v for n, v in manifest.items() if n not in ("files", "bundle_id", "digest")}
    raw = json.dumps(fields).encode()
    for _ in range(draw.choice((1, 1, 1, 2))):
        name = draw.choice(sorted(MUTATIONS))
        try:
            if name == "manifest":
                raw = mutated_json(draw, raw)
            else:
                MUTATIONS[name](draw, files, variant)
        except Exception:  # the first change left nothing that this one could be made to
            _any_file(draw, files, variant)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "manifest.json").write_bytes(sealed(raw, files))


def sealed(fields: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return a manifest with these fields, as JSON text, and right digests of these files."""
    entries = {name: file_entry(data) for name, data in files.items()}
    table = json.dumps(msgspec.to_builtins(entries))
    start = f'{{"files": {table}, "bundle_id": "{bundle_id_of(entries)}", "digest": "'.encode()
    rest = fields.lstrip()[1:]
    digest = hashlib.sha256(start + b"0" * 64 + b'", ' + rest).hexdigest().encode()
    return start + digest + b'", ' + rest


def _any_file(draw: random.Random, files: Files, variant: Mapping[str, Any]) -> None:
    name = draw.choice(sorted(files))
    files[name] = mutated_bytes(draw, files[name])


def _json_file(draw: random.Random, files: Files, variant: Mapping[str, Any]) -> None:
    name = draw.choice(("generation.json", "tokenizer.json", "tokenizer.json"))
    files[name] = mutated_json(draw, files[name])


def _words(draw: random.Random, files: Files, variant: Mapping[str, Any]) -> None:
    """Alter rules or vocabulary of the tokenizer as somebody would who knows them."""
    tree = json.loads(files["tokenizer.json"])
    steps, ids = tree["normalizer"]["normalizers"], tree["model"]["vocab"]
    word, other = draw.sample(sorted(ids), 2)
    kind = draw.randrange(9)
    if kind == 0:
        steps += [{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}] * 40
    elif kind == 1:
        steps.insert(
            draw.randrange(len(steps)), {"type": draw.choice(("NFD", "Strip", "Precompiled"))}
        )
    elif kind == 2:
        steps[draw.randrange(len(steps))] = {
            "type": "Replace",
            "pattern": {"Regex": "("},
            "content": "",
        }
    elif kind == 3:
        tree[draw.choice(("normalizer", "pre_tokenizer", "model"))] = None
    elif kind == 4:
        ids[draw.choice(("", " ", "\t"))] = ids.pop(word)
    elif kind == 5:
        ids[word] = draw.choice((ids[other], -1, 10**6, 2**31, 2**40))
    elif kind == 6:
        ids[word], ids[other] = ids[other], ids[word]
    elif kind == 7:
        tree["added_tokens"] = [{"id": ids[word], "content": "e", "special": True}]
    else:
        tree["model"] = {"type": "BPE", "vocab": ids, "merges": []}
    files["tokenizer.json"] = json.dumps(tree).encode()


def _lines(draw: random.Random, files: Files, variant: Mapping[str, Any]) -> None:
    name = draw.choice(("emotion_vocabulary.txt", "emotion_lexicon.tsv"))
    lines = files[name].split(b"\n")
    at = draw.randrange(len(lines))
    odd = (b"", b"\t", b"a\tb\tc", b"\xff", b"x" * 10_000, b"\xed\xa0\x80", b"\x00", lines[at] * 2)
    lines[at : at + draw.choice((0, 1, 3))] = [draw.choice(odd)]
    files[name] = b"\n".join(lines)


def _weights(draw: random.Random, files: Files, variant: Mapping[str, Any]) -> None:
    """Alter a number, a shape or a type of the weights, and leave the rest whole."""
    name = "weights.safetensors"
    tensors = {n: a.copy() for n, a in safetensors.numpy.load(files[name]).items()}
    chosen = draw.choice(sorted(tensors))
    array = tensors[chosen]
    kind = draw.randrange(5)
    if kind == 0:
        array.flat[draw.randrange(array.size)] = draw.choice((np.nan, np.inf, -np.inf))
    elif kind == 1:
        array.flat[draw.randrange(array.size)] = draw.choice((6e4, -6e4, 0))
    elif kind == 2:
        array[:] = draw.choice((6e4, 0))
    elif kind == 3:
        tensors[chosen] = array.reshape(array.shape[::-1])
    else:
        data = files[name]
        size = struct.unpack("<Q", data[:8])[0]
        header = mutated_json(draw, data[8 : 8 + size])
        files[name] = struct.pack("<Q", len(header)) + header + data[8 + size :]
        return
    files[name] = safetensors.numpy.save(tensors)


def _goldens(draw: random.Random, files: Files, variant: Mapping[str, Any]) -> None:
    name = variant["goldens"]
    with np.load(io.BytesIO(files[name])) as archive:
        arrays = dict(archive)
    chosen = draw.choice(sorted(arrays))
    kind = draw.randrange(7)
    if kind == 0:
        arrays[chosen].flat[0] = draw.choice((10**6, -5, 2**31 - 1))
    elif kind == 1:
        arrays[chosen] = arrays[chosen].astype(draw.choice(("f4", "f8", "i8", "i4", "u1", "U5")))
    elif kind == 2:
        arrays[chosen] = arrays[chosen][..., :0]
    elif kind == 3:
        arrays["0.log_probs"][:] = draw.choice((np.nan, np.inf, -1e4))
    elif kind == 4:
        del arrays[chosen]
    file = io.BytesIO()
    (np.savez_compressed if kind == 5 else np.savez)(file, **arrays)
    raw = bytearray(file.getvalue())
    if kind == 6:  # as if it were encrypted
        for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            raw[raw.index(sign) + offset] |= 1
        assert zipfile.is_zipfile(io.BytesIO(raw))
    files[name] = bytes(raw)


def _graph(draw: random.Random, files: Files, variant: Mapping[str, Any]) -> None:
    """Alter a graph so that it is still an ONNX model."""
    name = variant[draw.choice(("turn_encoder", "context_encoder", "decoder_step"))]
    model = onnx.load_model_from_string(files[name])
    draw.choice(_GRAPH_MUTATIONS)(draw, model.graph)
    files[name] = model.SerializeToString()


def _other_output(draw: random.Random, graph: onnx.GraphProto) -> None:
    """Let an output pass through one more node, so that its shape or values are others."""
    info = draw.choice(graph.output)
    for node in graph.node:
        for i, out in enumerate(node.output):
            if out == info.name:
                node.output[i] = "before"
        for i, used in enumerate(node.input):
            if used == info.name:
                node.input[i] = "before"
    axis = draw.randrange(3)
    ints = {"one": [draw.choice((0, 1, 2))], "zero": [0], "last": [-1], "axis": [axis]}
    for key, value in ints.items():
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), key))
    make = helper.make_node
    nodes = draw.choice(
        (
            [make("Concat", ["before", "before"], [info.name], axis=axis)],
            [make("Unsqueeze", ["before", "zero"], [info.name])],
            [make("Squeeze", ["before"], [info.name])],
            [make("Reshape", ["before", "last"], [info.name])],
            [make("Slice", ["before", "zero", "one", "axis"], [info.name])],
            [make("Transpose", ["before"], [info.name])],
            [make("Neg", ["before"], [info.name])],
            [make("Mul", ["before", "before"], [info.name])],
            [make("Add", ["before", "before"], [info.name])],
        )
    )
    graph.node.extend(nodes)
    if draw.random() < 0.5:
        info.type.tensor_type.ClearField("shape")
        for letter in "abc"[: draw.choice((1, 2, 3))]:
            info.type.tensor_type.shape.dim.add(dim_param=letter)


def _fewer_nodes(draw: random.Random, graph: onnx.GraphProto) -> None:
    del graph.node[draw.randrange(len(graph.node))]


def _other_operator(draw: random.Random, graph: onnx.GraphProto) -> None:
    node, other = draw.sample([*graph.node], 2)
    node.op_type = other.op_type


def _other_inputs(draw: random.Random, graph: onnx.GraphProto) -> None:
    names = [name for node in graph.node for name in (*node.input, *node.output)]
    node = draw.choice([node for node in graph.node if node.input])
    node.input[draw.randrange(len(node.input))] = draw.choice(names)


def _other_attribute(draw: random.Random, graph: onnx.GraphProto) -> None:
    found = [a for node in graph.node for a in node.attribute]
    if not found:
        return
    attribute = draw.choice(found)
    if attribute.type == onnx.AttributeProto.INT:
        attribute.i = draw.choice((attribute.i + 1, -1, 0, 1, 100, 2**40, -(2**63)))
    elif attribute.type == onnx.AttributeProto.INTS and attribute.ints:
        attribute.ints[draw.randrange(len(attribute.ints))] = draw.choice((0, 1, 5, -7))
    else:
        attribute.name = draw.choice(("axis", "to", "perm", "nothing"))


def _other_initializer(draw: random.Random, graph: onnx.GraphProto) -> None:
    tensor = draw.choice(graph.initializer)
    if tensor.external_data and draw.random() < 0.5:
        entry = draw.choice(tensor.external_data)
        entry.value = draw.choice(("0", "8", "7", "999999999", "-1", "x", "/etc/hostname"))
    elif tensor.dims and draw.random() < 0.5:
        at = draw.randrange(len(tensor.dims))
        tensor.dims[at] = draw.choice((0, 1, tensor.dims[at] + 1, 2**40, -1))
    elif tensor.raw_data:
        tensor.raw_data = mutated_bytes(draw, tensor.raw_data)
    else:
        tensor.data_type = draw.choice((TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64))


def _other_signature(draw: random.Random, graph: onnx.GraphProto) -> None:
    info = draw.choice((*graph.input, *graph.output))
    dims = info.type.tensor_type.shape.dim
    kind = draw.randrange(4)
    if kind == 0 and dims:
        draw.choice(dims).dim_value = draw.choice((0, 1, 8, 96, 2**40))
    elif kind == 1:
        info.type.tensor_type.elem_type = draw.choice((1, 6, 7, 8, 10))
    elif kind == 2:
        info.name = draw.choice(("x", "", "keys"))
    else:
        info.type.tensor_type.ClearField("shape")


_GRAPH_MUTATIONS = (
    *(_other_output, _other_output, _fewer_nodes, _other_operator, _other_inputs),
    *(_other_attribute, _other_initializer, _other_signature),
)
MUTATIONS: Mapping[str, Callable[[random.Random, Files, Mapping[str, Any]], None]] = {
    "any file": _any_file,
    "json": _json_file,
    "words": _words,
    "lines": _lines,
    "weights": _weights,
    "goldens": _goldens,
    "graph": _graph,
    "graph again": _graph,
    "graph once more": _graph,
    "manifest": _any_file,  # its fields are altered where it is written
}
