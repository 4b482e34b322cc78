"""Why ONNX Runtime's CUDA provider cannot be used: asked of the driver and the loader themselves.

ONNX Runtime hands out a session on the CPU and says why in a line of its log alone, or not at all.
"""

from __future__ import annotations

import ctypes
from typing import Any

from ...errors import ProviderError
from .cuda import PROVIDER, left_to_cpu
from .failures import LEFT_TO_CPU, NO_CUDNN, NO_TENSORRT
from .providers import TENSORRT

_OR_CPU = "or use device 'cpu', on which this package computes as well"
_FOR_CUDA_12 = "pip install 'onnxruntime-gpu[cuda,cudnn]<1.27'  # for CUDA 12"
_OLDEST_DRIVER = {12: "525", 13: "580"}  # of CUDA's release notes


def require_driver(onnxruntime: Any) -> None:
    """Do nothing if there is a driver with a GPU that a wheel's CUDA can use.

    Args:
        onnxruntime: the module, of a wheel that holds the CUDA provider.

    Raises:
        ProviderError: there is none; the hint says what mends it, in two lines.
    """
    if (problem := _without_driver(*_wheel(onnxruntime))) is not None:
        raise problem


def why_not(onnxruntime: Any, provider: str, seen: str) -> ProviderError:
    """Return the error that says why a provider was not even loaded, with two lines that mend it.

    Args:
        onnxruntime: as `require_driver`.
        provider: of CUDA or of TensorRT, which needs CUDA too.
        seen: what came of a session, if nothing is found to be missing.
    """
    wheel, major = _wheel(onnxruntime)
    found = _without_driver(wheel, major) or _without_cuda(wheel, major)
    if found is None and not _loads("libcudnn.so.9"):
        found = _without_cudnn(wheel, major)
    if found is None and provider == TENSORRT and not _loads("libnvinfer.so.10"):
        found = _without_tensorrt(wheel, major)
    return found or _listed_only(wheel, provider, seen)


def refusal(onnxruntime: Any, which: str, fault: str) -> ProviderError:
    """Return the error that says why the provider, once loaded, refused a graph."""
    wheel, major = _wheel(onnxruntime)
    if fault == NO_CUDNN:
        return _without_cudnn(wheel, major)
    if fault == NO_TENSORRT:
        return why_not(onnxruntime, TENSORRT, "its libraries cannot be loaded")
    if fault == LEFT_TO_CPU:
        return left_to_cpu("nodes", which)
    return _listed_only(wheel, PROVIDER, fault)


def _wheel(onnxruntime: Any) -> tuple[str, int]:
    """Return its name and version, and the major version of its CUDA; 0 if it does not say."""
    cuda = str(onnxruntime.cuda_version or "0")  # "13.0"
    return f"onnxruntime-gpu {onnxruntime.__version__}", int(cuda.split(".")[0])


def driver_problem(package: str, major: int, otherwise: str = _OR_CPU) -> ProviderError | None:
    """Return why the driver cannot serve a package, None if it can.

    Args:
        package: name and version, for the message.
        major: of the CUDA that it needs.
        otherwise: what else would do if the driver is too old; the second line of the hint.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ProviderError(
            f"{package} needs an NVIDIA driver, and there is none (libcuda.so.1)",
            hint="install it and see that `nvidia-smi` lists a GPU (a container needs --gpus all)\n"
            + _OR_CPU,
        )
    version, count = ctypes.c_int(0), ctypes.c_int(0)
    driver.cuDriverGetVersion(ctypes.byref(version))  # 12040 is CUDA 12.4
    if version.value // 1000 < major:
        known = f"{version.value // 1000}.{version.value % 1000 // 10}"
        return ProviderError(
            f"{package} needs CUDA {major}, and the NVIDIA driver knows CUDA {known}",
            hint=f"update the driver to {_OLDEST_DRIVER.get(major, 'a newer one')} or later\n"
            + otherwise,
        )
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code or count.value == 0:
        return ProviderError(
            f"the NVIDIA driver finds no GPU (code {code}, {count.value} devices)",
            hint="see that `nvidia-smi` lists one and that CUDA_VISIBLE_DEVICES does not hide it\n"
            + _OR_CPU,
        )
    return None


def _without_driver(wheel: str, major: int) -> ProviderError | None:
    return driver_problem(wheel, major, f"or {_FOR_CUDA_12}" if major == 13 else _OR_CPU)


def _without_cuda(wheel: str, major: int) -> ProviderError | None:
    names = [f"{name}.so.{major}" for name in ("libcudart", "libcublasLt", "libcublas")]
    missing = [name for name in (*names, "libcurand.so.10") if not _loads(name)]
    if major == 0 or not missing:
        return None
    of_cuda_12 = major == 13 and _loads("libcublas.so.12")
    return ProviderError(
        ("CUDA 12 is there, but " if of_cuda_12 else "")
        + f"{wheel} needs CUDA {major}: {', '.join(missing)} cannot be loaded",
        hint="pip install 'onnxruntime-gpu[cuda,cudnn]'  # brings CUDA and cuDNN along\n"
        + (
            f"or {_FOR_CUDA_12}"
            if of_cuda_12
            else f"or name the folder of your own CUDA {major} in LD_LIBRARY_PATH"
        ),
    )


def _without_cudnn(wheel: str, major: int) -> ProviderError:
    return ProviderError(
        f"{wheel} needs cuDNN 9 for our encoders: libcudnn.so.9 cannot be loaded",
        hint=f"pip install 'nvidia-cudnn-cu{major}>=9,<10'\n"
        "or name the folder of your own cuDNN in LD_LIBRARY_PATH",
    )


def _without_tensorrt(wheel: str, major: int) -> ProviderError:
    return ProviderError(
        f"{wheel} needs TensorRT 10: libnvinfer.so.10 cannot be loaded",
        hint=f"pip install 'tensorrt-cu{major}>=10.15,<11'  # its libraries are large\n"
        "or use the backend 'tensorrt' with device 'cuda', which takes TensorRT 11 too",
    )


def _listed_only(wheel: str, provider: str, seen: str) -> ProviderError:
    return ProviderError(
        f"{provider} is listed but cannot be used: {seen}",
        hint=f"see that {wheel} supports this GPU (its CUDA provider's page)\n{_OR_CPU}",
    )


def _loads(library: str) -> bool:
    """Return whether the process has a library, or can load it by its name."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
