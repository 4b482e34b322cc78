"""What a bundle from a stranger is searched for before ONNX Runtime runs it in this process.

Hashes tell that a bundle is whole, not that it is benign. So the graphs may hold standard
operators only, no functions, subgraphs of small depth, and external data nowhere but inside the
bundle's own weights. Then a child process loads them: a native crash ends that process alone.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from .bundle import Bundle
from .errors import BundleError, DependencyError
from .manifest import WEIGHTS_NAME

MAX_DEPTH = 8  # of subgraphs
STANDARD_DOMAINS = ("", "ai.onnx")
PROBE = (sys.executable, "-P", "-m", "empgan_rt.graph_probe")  # -P: nothing from the folder
PROBE_LIMIT_S = 300.0
_DATA_KEYS = {"location", "offset", "length", "checksum"}


def audit(bundle: Bundle) -> None:
    """Do nothing if every graph of a bundle keeps to the rules above.

    Raises:
        BundleError: one does not; the message lists the first faults.
        DependencyError: the package onnx is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise DependencyError(
            "onnx is not installed, and an audit of the graphs needs it",
            hint="pip install 'empgan-rt[export]'",
        ) from None
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


def probe(path: str, bundle_id: str) -> None:
    """Check and load the bundle at `path` in a child process; do nothing if that works.

    Args:
        path: folder, or name of an embedded bundle.
        bundle_id: of the bundle that was audited.

    Raises:
        BundleError: the child refused the bundle, crashed, hung, or met another bundle.
    """
    try:
        done = subprocess.run(
            [*PROBE, path],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=PROBE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BundleError(f"loading took more than {PROBE_LIMIT_S:.0f} s") from None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise BundleError(f"loading crashed the process with {name}", hint="do not load it")
    try:
        answer = json.loads(done.stdout)
        found, message = str(answer["bundle_id"]), str(answer["error"])
    except (ValueError, KeyError, TypeError):
        raise BundleError(f"loading ended with exit code {done.returncode}") from None
    if message:
        raise BundleError(message, hint="do not load this bundle")
    if found != bundle_id:
        raise BundleError("the bundle changed while it was checked", hint="copy it and try again")


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
    domains = {entry.domain for entry in model.opset_import}
    graphs = [(model.graph, 0)]
    while graphs:
        graph, depth = graphs.pop()
        if depth > MAX_DEPTH:
            yield f"subgraphs nested deeper than {MAX_DEPTH}"
            return
        tensors = [*graph.initializer]
        for sparse in graph.sparse_initializer:
            tensors += [sparse.values, sparse.indices]
        for node in graph.node:
            domains.add(node.domain)
            for attribute in node.attribute:
                graphs += [(inner, depth + 1) for inner in attribute.graphs]
                if attribute.HasField("g"):
                    graphs.append((attribute.g, depth + 1))
                tensors += [attribute.t, *attribute.tensors]
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    tensors += [sparse.values, sparse.indices]
        for tensor in tensors:
            yield from _tensor_faults(onnx, tensor, weights_size)
    foreign = sorted(domains - {*STANDARD_DOMAINS})
    if foreign:
        yield f"operators of {', '.join(repr(domain[:40]) for domain in foreign[:3])}"


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
