"""What engines are built with and for: the TensorRT package that is installed, and the GPU."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from ...errors import DependencyError, ProviderError
from ...packages import import_module, was_interrupted

_RTX = "tensorrt_rtx"


@dataclass(frozen=True)
class Gpu:
    """One GPU and its driver.

    Attributes:
        name: as NVIDIA calls it.
        compute_capability: "major.minor".
        driver: version of the display driver, or of CUDA where that cannot be asked for.
    """

    name: str
    compute_capability: str
    driver: str


@dataclass(frozen=True)
class Machine:
    """A TensorRT module and the GPU that it builds for.

    Attributes:
        trt: the module `tensorrt`, or `tensorrt_rtx` where that alone is installed.
        gpu: the current device.
    """

    trt: Any
    gpu: Gpu

    @classmethod
    def here(cls) -> Machine:
        """Return this machine.

        Raises:
            DependencyError: TensorRT or cuda-python is not installed.
            ProviderError: there is no GPU, or its driver is missing or too old.
        """
        return cls(import_tensorrt(), current_gpu())


def import_tensorrt() -> Any:
    """Return the module `tensorrt`, or `tensorrt_rtx` if only that can be imported.

    Raises:
        DependencyError: neither can.
    """
    reasons = []
    for name in ("tensorrt", _RTX):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                reasons.append(f"{name} lacks {error.name}")
        except (ImportError, OSError) as error:  # its libraries are missing or of another version
            if was_interrupted(error):
                raise KeyboardInterrupt from error
            reasons.append(f"{name}: {error}")
    found = "TensorRT is not installed"
    raise DependencyError(
        f"TensorRT cannot be loaded ({'; '.join(reasons)[:300]})" if reasons else found,
        hint="pip install 'empgan-rt[tensorrt]'  # TensorRT for CUDA 13, from NVIDIA's index\n"
        "pip install tensorrt-rtx  # or this, for GeForce and RTX cards",
    )


def is_rtx(trt: Any) -> bool:
    """Return whether a module is TensorRT-RTX, whose timing caches do nothing."""
    return str(trt.__name__) == _RTX


def version_of(trt: Any) -> str:
    """Return flavour and version of a module, as in "tensorrt 11.4.0"."""
    return f"{trt.__name__} {trt.__version__}"


def import_cuda() -> Any:
    """Return cuda-python's module of CUDA's runtime.

    Raises:
        DependencyError: it is not installed, or damaged.
    """
    return import_module(
        "cuda.bindings.runtime",
        "cuda-python is not installed, and TensorRT needs it here",
        hint="pip install 'empgan-rt[tensorrt]'",
    )


def current_gpu() -> Gpu:
    """Return the device that CUDA would use in this process.

    Raises:
        DependencyError: cuda-python is not installed.
        ProviderError: there is no GPU, or its driver is missing or too old.
    """
    cuda = import_cuda()
    device = _answer(cuda, cuda.cudaGetDevice())
    properties = _answer(cuda, cuda.cudaGetDeviceProperties(device))
    return Gpu(
        name=properties.name.decode("utf-8", "replace"),
        compute_capability=f"{properties.major}.{properties.minor}",
        driver=_driver() or f"CUDA {_answer(cuda, cuda.cudaDriverGetVersion())}",
    )


def _answer(cuda: Any, result: tuple[Any, Any]) -> Any:
    """Return what a CUDA call found out.

    Raises:
        ProviderError: the call failed.
    """
    error, value = result
    if error != cuda.cudaError_t.cudaSuccess:
        raise ProviderError(
            f"no GPU can be used: {error.name}",
            hint="run `nvidia-smi`; install a driver for CUDA 13 if it shows no GPU",
        )
    return value


def _driver() -> str:
    """Return the version of the display driver, "" if NVIDIA's management library is not there."""
    try:
        nvml: Any = importlib.import_module("cuda.bindings.nvml")
        nvml.init_v2()
        try:
            return str(nvml.system_get_driver_version())
        finally:
            nvml.shutdown()
    except Exception as error:  # its errors have no public base; containers often lack the library
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        return ""
