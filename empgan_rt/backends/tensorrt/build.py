"""One engine: a prepared graph through TensorRT's parser and builder."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import BundleError, EmpganError, ProviderError
from ...graph_spec import GraphSpec, TensorSpec
from .log import logger, tells_of_full_memory
from .machine import is_rtx, version_of
from .monitor import PhaseListener, watched
from .profiles import Profile

_BUILDING = threading.Lock()  # the logger's errors are those of one build


@dataclass(frozen=True)
class Built:
    """The results of one build.

    Attributes:
        plan: the serialised engine.
        timings: the serialised timing cache for later builds, empty where there is none.
    """

    plan: bytes
    timings: bytes


def build(
    trt: Any,
    graph: bytes,
    spec: GraphSpec,
    profiles: Sequence[Profile],
    *,
    tf32: bool = False,
    timings: bytes = b"",
    listener: PhaseListener | None = None,
) -> Built:
    """Return an engine; nothing is read from or written to a disk.

    Args:
        trt: TensorRT's module.
        graph: from `prepared_graph`.
        spec: the signature that it must have, from `fixed_spec`.
        profiles: ranges of its axes.
        tf32: whether float32 products may drop 13 bits of their operands.
        timings: of earlier builds on this machine.
        listener: is told of each phase.

    Raises:
        BundleError: TensorRT cannot read the graph, or it has another signature.
        ProviderError: the engine cannot be built, as when the GPU's memory is full.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    with _BUILDING:
        log = logger(trt)
        log.errors.clear()
        builder = trt.Builder(log)
        typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(typed)
        parser = trt.OnnxParser(network, log)
        if not parser.parse(graph):
            raise _refused(trt, parser, spec.name)
        _check_signature(trt, network, spec)
        config = builder.create_builder_config()
        if tf32:
            config.set_flag(trt.BuilderFlag.TF32)
        else:
            config.clear_flag(trt.BuilderFlag.TF32)
        for profile in profiles:
            config.add_optimization_profile(_profile(builder, spec, profile))
        if not is_rtx(trt):
            config.set_timing_cache(config.create_timing_cache(timings), ignore_mismatch=False)
        with watched(trt, listener) as monitor:
            config.progress_monitor = monitor
            plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise _failed(trt, log.errors, spec.name)
        after = b"" if is_rtx(trt) else bytes(config.get_timing_cache().serialize())
        return Built(bytes(plan), after)


def shape_of(tensor: TensorSpec, profile: Profile) -> list[list[int]]:
    """Return the smallest, the best and the largest shape of an input in a profile."""
    return [
        [profile[axis][which] if isinstance(axis, str) else axis for axis in tensor.axes]
        for which in range(3)
    ]


def _profile(builder: Any, spec: GraphSpec, ranges: Profile) -> Any:
    profile = builder.create_optimization_profile()
    for tensor in spec.inputs:
        profile.set_shape(tensor.name, *shape_of(tensor, ranges))
    return profile


def _check_signature(trt: Any, network: Any, spec: GraphSpec) -> None:
    """Raise BundleError unless names, types and axes are those of `spec`, in its order."""
    types = {"float32": str(trt.DataType.FLOAT), "int32": str(trt.DataType.INT32)}
    wanted = [
        (t.name, types[t.dtype], tuple(a if isinstance(a, int) else -1 for a in t.axes))
        for t in (*spec.inputs, *spec.outputs)
    ]
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    tensors += [network.get_output(i) for i in range(network.num_outputs)]
    found = [(io.name, str(io.dtype), tuple(io.shape)) for io in tensors]
    if found != wanted:
        raise BundleError(
            f"TensorRT reads another {spec.name}: {found}, not {wanted}"[:600],
            hint="export the bundle again",
        )


def _refused(trt: Any, parser: Any, name: str) -> EmpganError:
    """Return what to raise of a graph that the parser does not take."""
    faults = []
    for i in range(parser.num_errors):
        fault = parser.get_error(i)
        faults.append(f"{fault.node_operator()} {fault.node_name()}: {fault.desc()}")
    return BundleError(
        f"{version_of(trt)} cannot read the {name}: {'; '.join(faults)[:400]}",
        hint="use another precision, or ONNX Runtime",
    )


def _failed(trt: Any, errors: Sequence[str], name: str) -> EmpganError:
    """Return what to raise of a graph that was read and not built."""
    said = "; ".join(errors)
    if tells_of_full_memory(said):
        return ProviderError(
            f"{version_of(trt)} ran out of GPU memory while it built the {name}",
            hint="free the GPU of other programs (see nvidia-smi), or build for fewer beams",
        )
    return ProviderError(
        f"{version_of(trt)} could not build the {name}: {said[:400] or 'it gave no reason'}",
        hint="run again with -v before the command for TensorRT's own log",
    )
