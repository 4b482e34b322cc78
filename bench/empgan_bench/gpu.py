"""Which GPU and which driver, asked of the driver's libraries; no memory of the GPU is taken."""

from __future__ import annotations

import ctypes
from typing import Any

import msgspec

_NAME_BYTES = 96


class Gpu(msgspec.Struct, frozen=True):
    """The GPU that CUDA would use in a new process; "unknown" and 0 where nobody says.

    Attributes:
        name: as NVIDIA calls it.
        memory_gib: all of it.
        driver: version of the display driver.
        cuda: newest version of CUDA that the driver knows.
    """

    name: str
    memory_gib: float
    driver: str
    cuda: str

    def __str__(self) -> str:
        return f"{self.name}, {self.memory_gib} GiB, driver {self.driver}, CUDA {self.cuda}"


def current_gpu() -> Gpu:
    """Return the first GPU that CUDA_VISIBLE_DEVICES shows."""
    cuda = _library("libcuda.so.1")
    name, memory, version, device = (
        ctypes.create_string_buffer(_NAME_BYTES),
        *(kind() for kind in (ctypes.c_size_t, ctypes.c_int, ctypes.c_int)),
    )
    if cuda is not None and cuda.cuInit(0) == 0:
        cuda.cuDriverGetVersion(ctypes.byref(version))  # 13000 is CUDA 13.0
        if cuda.cuDeviceGet(ctypes.byref(device), 0) == 0:
            cuda.cuDeviceGetName(name, _NAME_BYTES, device)
            cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    return Gpu(
        name=name.value.decode("utf-8", "replace") or "unknown",
        memory_gib=round(memory.value / 2**30, 1),
        driver=_driver(),
        cuda=f"{version.value // 1000}.{version.value % 1000 // 10}"
        if version.value
        else "unknown",
    )


def _driver() -> str:
    """Return the driver's version by NVIDIA's management library, which containers may lack."""
    nvml = _library("libnvidia-ml.so.1")
    version = ctypes.create_string_buffer(_NAME_BYTES)
    if nvml is None or nvml.nvmlInit_v2() != 0:
        return "unknown"
    found = nvml.nvmlSystemGetDriverVersion(version, _NAME_BYTES) == 0
    nvml.nvmlShutdown()
    return version.value.decode("utf-8", "replace") if found else "unknown"


def _library(name: str) -> Any:
    """Return a library, None if it cannot be loaded."""
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None
