"""The GPUs of this machine, asked of the driver itself: no PyTorch, no CUDA toolkit."""

from __future__ import annotations

import csv
import ctypes
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_DRIVER_FILE = Path("/sys/module/nvidia/version")
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
_SMI_S = 30


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        name: as NVIDIA calls it.
        compute_capability: "major.minor".
        memory_mib: all of it.
    """

    name: str
    compute_capability: str
    memory_mib: int


def count() -> int:
    """Return how many GPUs CUDA lets this process use; 0 if there is no driver."""
    driver, found = _driver(), ctypes.c_int(0)
    if driver is None or driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(found)):
        return 0
    return found.value


def gpus() -> list[Gpu]:
    """Return what the driver tells of each of them."""
    driver = _driver()
    return [] if driver is None else [_gpu(driver, ordinal) for ordinal in range(count())]


def cuda_version() -> str:
    """Return the newest CUDA that the driver knows, such as "13.0"; "" if there is no driver."""
    driver, version = _driver(), ctypes.c_int(0)
    if driver is None or driver.cuDriverGetVersion(ctypes.byref(version)):
        return ""
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def driver_version() -> str:
    """Return the version of the display driver; "" if nobody tells."""
    try:
        return _smi("driver_version") or _DRIVER_FILE.read_text().strip()
    except OSError:
        return ""


def memory_used_mib() -> int | None:
    """Return the memory in use on the GPU, by any process; None without `nvidia-smi`."""
    used = _smi("memory.used")
    return int(used) if used.isdecimal() else None


def _smi(field: str) -> str:
    """Return what `nvidia-smi` says of the first GPU that is visible; "" if it says nothing.

    GPUs count as `nvidia-smi` counts them only with CUDA_DEVICE_ORDER=PCI_BUS_ID.
    """
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0] or "0"
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader,nounits", "-i", first]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SMI_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    rows = [row for row in csv.reader(done.splitlines()) if row]
    return rows[0][0].strip() if rows else ""


def _driver() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None


def _gpu(driver: ctypes.CDLL, ordinal: int) -> Gpu:
    device, total = ctypes.c_int(0), ctypes.c_size_t(0)
    name = ctypes.create_string_buffer(256)
    capability = ctypes.c_int(0), ctypes.c_int(0)
    driver.cuDeviceGet(ctypes.byref(device), ordinal)
    driver.cuDeviceGetName(name, len(name), device)
    driver.cuDeviceTotalMem_v2(ctypes.byref(total), device)
    for value, attribute in zip(capability, (_MAJOR, _MINOR), strict=True):
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
    major, minor = (value.value for value in capability)
    return Gpu(name.value.decode("utf-8", "replace"), f"{major}.{minor}", total.value >> 20)
