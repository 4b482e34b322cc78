"""An ONNX Runtime session: the package found and alone, threads of its own, the device asserted.

ONNX Runtime's threads spin for tens of ms after a call, which would take the cores from the session
that runs next. So they stop when their call ends. The global pool is left to the host program: once
it exists, ONNX Runtime refuses every session that does not ask for it.
"""

from __future__ import annotations

import functools
import logging
from importlib import metadata
from typing import Any

from ...bundle.manifest import WEIGHTS_NAME
from ...errors import BundleError, DependencyError, ProviderError
from ...graph_spec import GraphSpec, TensorSpec
from ...packages import import_module
from ...threads import claim_threads
from . import cuda, providers
from .cuda_diagnosis import refusal, require_driver, why_not
from .failures import device_fault
from .providers import Device
from .telemetry import silence_onnxruntime

_log = logging.getLogger(__name__)
_DTYPES = {"float32": "tensor(float)", "int32": "tensor(int32)", "int64": "tensor(int64)"}
_OWN_THREADS = "use_per_session_threads"  # what ONNX Runtime refuses once there is a global pool
_FATAL = 4  # every error also arrives as an exception; standard error stays clean


def import_onnxruntime() -> Any:
    """Return the onnxruntime module.

    Raises:
        DependencyError: it is missing, damaged or older than 1.24, or both of its distributions
            are installed; they write into one folder, and each breaks the other.
        KeyboardInterrupt: Ctrl-C was pressed meanwhile.
    """
    installed = [name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]
    if len(installed) == 2:
        raise DependencyError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other",
            hint="pip uninstall -y onnxruntime onnxruntime-gpu\n"
            "pip install onnxruntime  # or, for CUDA: pip install 'onnxruntime-gpu[cuda,cudnn]'",
        )
    silence_onnxruntime()
    module = import_module(
        "onnxruntime",
        "onnxruntime is not installed",
        hint="pip install 'empgan-rt[cpu]'\nor, for an NVIDIA GPU: 'empgan-rt[gpu]'",
    )
    if not hasattr(module.SessionOptions, "add_external_initializers_from_files_in_memory"):
        raise DependencyError(
            f"onnxruntime {module.__version__}, but 1.24 or newer is needed",
            hint="pip install -U 'empgan-rt[cpu]'",
        )
    return module


def open_session(graph: bytes, weights: bytes, spec: GraphSpec, device: str) -> Any:
    """Return an InferenceSession that runs `graph` on a device of `DEVICES`.

    Args:
        graph: ONNX bytes whose external data all lies in the bundle's weights file.
        weights: that file.
        spec: the signature that the graph must have.
        device: a key of `providers.DEVICES`.

    Raises:
        DependencyError: see `import_onnxruntime`.
        ProviderError: the device cannot be used.
        BundleError: the graph or its signature is not what the manifest promises.
    """
    whole = spec.name in cuda.WHOLE
    session = session_of_any_signature(graph, weights, spec.name, device, whole)
    _check_tensors(spec.name, spec.inputs, session.get_inputs())
    _check_tensors(spec.name, spec.outputs, session.get_outputs())
    return session


def session_of_any_signature(
    graph: bytes,
    weights: bytes,
    name: str,
    device: str,
    whole: bool = False,
) -> Any:
    """Return what `open_session` does, for a graph that we made ourselves; `name` is for errors.

    Args:
        graph: ONNX bytes.
        weights: of its external data; empty if it has none.
        name: what it is, for messages.
        device: a key of `providers.DEVICES`.
        whole: no node of it may run anywhere else, the computation of shapes included.

    Raises:
        InputError: unknown device, or the process cannot start so many threads.
    """
    where = providers.known(device)
    onnxruntime, provider = import_onnxruntime(), where.providers[0]
    if provider not in onnxruntime.get_available_providers():
        raise ProviderError(
            f"{provider} is not in this onnxruntime, which is another build of it",
            hint="pip uninstall -y onnxruntime\npip install 'empgan-rt[gpu]'",
        )
    on_gpu = cuda.PROVIDER in where.providers
    if on_gpu:
        require_driver(onnxruntime)
        cuda.preload(onnxruntime)
    if provider == providers.TENSORRT:
        providers.preload_tensorrt()
    options = _session_options(onnxruntime)
    if weights:
        options.add_external_initializers_from_files_in_memory(
            [WEIGHTS_NAME], [weights], [len(weights)]
        )
    if on_gpu:
        options.add_session_config_entry(cuda.NO_FALLBACK if whole else cuda.RECORD_NODES, "1")
    session = _session_on(onnxruntime, graph, options, name, where)
    if on_gpu and not whole:
        cuda.check_nodes(session, name, where.providers)
    return session


def _session_on(onnxruntime: Any, graph: bytes, options: Any, name: str, device: Device) -> Any:
    """Return a session that has been seen to be on a device."""
    wanted, on_gpu = providers.with_options(device), cuda.PROVIDER in device.providers
    try:
        session = _session_with(onnxruntime, graph, options, wanted)
    except Exception as error:  # ONNX Runtime's errors have no common base of their own
        if on_gpu and (fault := device_fault(error)):
            raise refusal(onnxruntime, name, fault) from error
        raise BundleError(
            f"ONNX Runtime refused the {name}: {str(error)[:300]}",
            hint="export the bundle again, or install the onnxruntime it was made with",
        ) from error
    # Without the device ONNX Runtime hands out a CPU session and a mere warning.
    if (actual := session.get_providers()[0]) != device.providers[0]:
        raise why_not(onnxruntime, device.providers[0], f"ONNX Runtime chose {actual}")
    return session


def _session_with(onnxruntime: Any, graph: bytes, options: Any, wanted: list[Any]) -> Any:
    """Return a session with threads of its own, or on the global pool where the host made it."""
    try:
        return onnxruntime.InferenceSession(graph, options, providers=wanted, enable_fallback=0)
    except RuntimeError as error:
        if _OWN_THREADS not in str(error):
            raise
    _tell_of_pool()
    options.use_per_session_threads = False
    options.intra_op_num_threads = options.inter_op_num_threads = 0  # it warns of other numbers
    return onnxruntime.InferenceSession(graph, options, providers=wanted, enable_fallback=0)


@functools.cache  # once per process
def _tell_of_pool() -> None:
    _log.warning("the host program made ONNX Runtime's global thread pool; it is used")


def _check_tensors(graph: str, wanted: tuple[TensorSpec, ...], found: list[Any]) -> None:
    """Raise BundleError, naming every fault, unless names, dtypes, ranks and fixed axes agree."""
    by_name = {tensor.name: tensor for tensor in found}
    faults = [f"extra {name}" for name in sorted(by_name.keys() - {w.name for w in wanted})]
    for want in wanted:
        have = by_name.get(want.name)
        if have is None:
            faults.append(f"no {want.name}")
            continue
        # A fixed axis must be the wanted one; a dynamic one takes what comes.
        agrees = len(have.shape) == len(want.axes) and all(
            axis == want_axis or not isinstance(axis, int)
            for axis, want_axis in zip(have.shape, want.axes, strict=True)
        )
        if have.type != _DTYPES[want.dtype] or not agrees:
            faults.append(f"{want.name} is {have.type} {have.shape}, not {want.dtype} {want.axes}")
    if faults:
        raise BundleError(f"the {graph} graph has another signature: {'; '.join(faults)[:400]}")


def _session_options(onnxruntime: Any) -> Any:
    """Return options for a session that computes with `threads.num_threads()` threads."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = count = claim_threads()
    if count > 1:  # with one, the caller does the work, and nobody spins
        options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
