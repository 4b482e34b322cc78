"""What checks need: name -> what is not there and how to get it, a literal table.

Whatever passes here is there, so what fails afterwards has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from functools import cache
from importlib.util import find_spec

from empgan_bench.measuring import gpu
from empgan_rt.backends.onnxruntime.cuda import PROVIDER
from empgan_rt.backends.onnxruntime.session import import_onnxruntime
from empgan_rt.backends.tensorrt.backend import TrtBackend
from empgan_rt.backends.tensorrt.machine import (
    Machine,
    import_cuda,
    import_tensorrt,
    is_rtx,
    version_of,
)
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import EmpganError, ProviderError
from empgan_rt.verification import parity


def missing(names: Iterable[str]) -> str:
    """Return the first need that is not met, with its mend; "" if all are."""
    for name in names:
        try:
            said = NEEDS[name]()
        except EmpganError as error:
            said = one_line(error)
        if said:
            return said
    return ""


def one_line(error: EmpganError) -> str:
    """Return an error with its mend, on one line."""
    hint = "; ".join(error.hint.splitlines())
    return f"{error.message} ({hint})" if hint else error.message


def _gpu() -> str:
    if gpu.count():
        return ""
    return "no GPU: see that `nvidia-smi` lists one (a container needs --gpus all)"


def _torch() -> str:
    return _packages("train", "torch", "safetensors")


def _torch_on_cuda() -> str:
    if said := _torch():
        return said
    from empgan_bench.engines.cuda.torch import require_gpu

    require_gpu()
    return ""


def _onnxruntime() -> str:
    import_onnxruntime()
    return ""


def _onnxruntime_on_cuda() -> str:
    onnxruntime = import_onnxruntime()
    if PROVIDER in onnxruntime.get_available_providers():
        return ""
    return (
        f"onnxruntime {onnxruntime.__version__} is the build without {PROVIDER}: pip uninstall -y "
        "onnxruntime; pip install 'empgan-rt[gpu]'"
    )


def _tensorrt() -> str:
    trt = import_tensorrt()
    import_cuda()
    return _packages("tensorrt", "onnx") or (_refused() if is_rtx(trt) else "")


@cache
def _refused() -> str:
    """Return how TensorRT-RTX refuses this GPU; NVIDIA lists few for it, so that is no fault."""
    machine, bundle = Machine.here(), Bundle.open("tiny")
    try:
        with closing(TrtBackend(bundle)) as backend:
            parity.replay(backend, bundle.goldens("fp32"), 1.0)
    except ProviderError as error:
        return f"{version_of(machine.trt)} does not take {machine.gpu.name}: {error.message}"
    return ""


def _packages(extra: str, *names: str) -> str:
    """Return which of some modules cannot be found, and the extra that brings them."""
    lacking = [name for name in names if find_spec(name) is None]
    if not lacking:
        return ""
    return f"{', '.join(lacking)} not installed: pip install 'empgan-rt[{extra}]'"


NEEDS: Mapping[str, Callable[[], str]] = {
    "gpu": _gpu,
    "torch": _torch,
    "torch on cuda": _torch_on_cuda,
    "onnxruntime": _onnxruntime,
    "onnxruntime on cuda": _onnxruntime_on_cuda,
    "tensorrt": _tensorrt,
}
