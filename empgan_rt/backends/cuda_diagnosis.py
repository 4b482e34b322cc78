"""Why ONNX Runtime's CUDA provider cannot be used: asked of the driver and the loader themselves.

ONNX Runtime hands out a session on the CPU and says why in a line of its log alone, or not at all.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from ..errors import ProviderError

_OR_CPU = "\nor use device 'cpu', on which this package computes as well"
_LAST_FOR_CUDA_12 = "'onnxruntime-gpu[cuda,cudnn]<1.27'"  # by the wheels' own requirements
_OLDEST_DRIVER = {12: "525", 13: "580"}  # CUDA's release notes


def why_not(onnxruntime: Any, seen: str) -> ProviderError:
    """Return the error that says why there is no CUDA session, and what mends it in two lines.

    Args:
        onnxruntime: the module, of a wheel that holds the CUDA provider.
        seen: what came of a session, if nothing is found to be missing.
    """
    cuda = str(onnxruntime.cuda_version)  # "13.0"
    wheel = f"onnxruntime-gpu {onnxruntime.__version__}"
    major = int(cuda.split(".")[0]) if cuda else 0
    checks: tuple[Callable[[], tuple[str, str] | None], ...] = (
        lambda: _driver(wheel, major),
        lambda: _cuda_libraries(wheel, major),
        lambda: _cudnn(wheel, major),
    )
    for check in checks:
        if (found := check()) is not None:
            return ProviderError(found[0], hint=found[1])
    return ProviderError(
        f"CUDAExecutionProvider is listed but cannot be used: {seen}",
        hint="compare the GPU and its driver with what onnxruntime.ai says of the CUDA provider"
        + _OR_CPU,
    )


def _driver(wheel: str, major: int) -> tuple[str, str] | None:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return (
            f"{wheel} needs an NVIDIA driver, and there is none (libcuda.so.1)",
            "install it and see that `nvidia-smi` lists a GPU (a container needs --gpus all)"
            + _OR_CPU,
        )
    version, count = ctypes.c_int(0), ctypes.c_int(0)
    driver.cuDriverGetVersion(ctypes.byref(version))  # 12040 is CUDA 12.4
    if version.value // 1000 < major:
        return (
            f"{wheel} needs CUDA {major}, the NVIDIA driver knows CUDA {_dotted(version.value)}",
            f"update the driver to {_OLDEST_DRIVER.get(major, 'one for it')} or newer"
            + (f"\nor pip install {_LAST_FOR_CUDA_12}" if major == 13 else _OR_CPU),
        )
    code = driver.cuInit(0)
    if code == 0:
        code = driver.cuDeviceGetCount(ctypes.byref(count))
    if code or not count.value:
        return (
            f"the NVIDIA driver finds no GPU (error {code}, {count.value} devices)",
            "see that `nvidia-smi` lists one and CUDA_VISIBLE_DEVICES does not hide it" + _OR_CPU,
        )
    return None


def _cuda_libraries(wheel: str, major: int) -> tuple[str, str] | None:
    names = ["libcudart", "libcublasLt", "libcublas"]
    missing = [f"{name}.so.{major}" for name in names if not _loads(f"{name}.so.{major}")]
    missing += [name for name in ("libcurand.so.10",) if not _loads(name)]
    if not missing:
        return None
    other = [n for n in (12, 13) if n != major and _loads(f"libcublas.so.{n}")]
    there = f"CUDA {other[0]} is there, but " if other else ""
    return (
        f"{there}{wheel} needs CUDA {major}: {', '.join(missing)} cannot be loaded",
        "pip install 'onnxruntime-gpu[cuda,cudnn]'  # brings CUDA and cuDNN along\n"
        + (
            f"or, for CUDA 12: pip install {_LAST_FOR_CUDA_12}"
            if other == [12]
            else f"or name the folder of your CUDA {major} in LD_LIBRARY_PATH"
        ),
    )


def _cudnn(wheel: str, major: int) -> tuple[str, str] | None:
    if _loads("libcudnn.so.9"):
        return None
    return (
        f"{wheel} needs cuDNN 9 for our encoders: libcudnn.so.9 cannot be loaded",
        f"pip install 'nvidia-cudnn-cu{major}>=9,<10'\n"
        "or name the folder of your cuDNN in LD_LIBRARY_PATH",
    )


def _loads(library: str) -> bool:
    """Return whether the process has a library or can load it by its name."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"
