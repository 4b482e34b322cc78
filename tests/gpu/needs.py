"""What sections need: name -> what is not there and how to get it, a literal table.

Whatever passes here is there, so what fails afterwards has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec

from empgan_rt.backends.onnxruntime.cuda import PROVIDER
from empgan_rt.backends.onnxruntime.session import import_onnxruntime
from empgan_rt.backends.tensorrt.machine import import_cuda, import_tensorrt
from empgan_rt.errors import EmpganError

from ..measuring import gpu

NO_GPU = "no GPU"


def missing(names: Iterable[str]) -> str:
    """Return the first need that is not met, with its mend; "" if all are."""
    return next((said for name in names if (said := NEEDS[name]())), "")


def _gpu() -> str:
    if gpu.count():
        return ""
    return f"{NO_GPU}: see that `nvidia-smi` lists one (a container needs --gpus all)"


def _torch() -> str:
    return _packages("train", "torch", "safetensors")


def _torch_on_cuda() -> str:
    if said := _torch():
        return said
    from ..engines.cuda.torch import require_gpu

    try:
        require_gpu()
    except EmpganError as error:
        return one_line(error)
    return ""


def _onnxruntime() -> str:
    try:
        import_onnxruntime()
    except EmpganError as error:
        return one_line(error)
    return ""


def _onnxruntime_on_cuda() -> str:
    if said := _onnxruntime():
        return said
    onnxruntime = import_onnxruntime()
    if PROVIDER in onnxruntime.get_available_providers():
        return ""
    return (
        f"onnxruntime {onnxruntime.__version__} is the build without {PROVIDER}: pip uninstall -y "
        "onnxruntime; pip install 'empgan-rt[gpu]'"
    )


def _tensorrt() -> str:
    try:
        import_tensorrt()
        import_cuda()
    except EmpganError as error:
        return one_line(error)
    return _packages("tensorrt", "onnx")


def _bench() -> str:
    return _packages("bench", "plotly")


def _pytest() -> str:
    return _packages("dev", "pytest")


def _packages(extra: str, *names: str) -> str:
    """Return which of some modules cannot be found, and the extra that brings them."""
    lacking = [name for name in names if find_spec(name) is None]
    if not lacking:
        return ""
    return f"{', '.join(lacking)} not installed: pip install 'empgan-rt[{extra}]'"


def one_line(error: EmpganError) -> str:
    """Return an error with its mend, on one line."""
    return "; ".join(str(error).splitlines())


NEEDS: Mapping[str, Callable[[], str]] = {
    "gpu": _gpu,
    "torch": _torch,
    "torch on cuda": _torch_on_cuda,
    "onnxruntime": _onnxruntime,
    "onnxruntime on cuda": _onnxruntime_on_cuda,
    "tensorrt": _tensorrt,
    "bench": _bench,
    "pytest": _pytest,
}
