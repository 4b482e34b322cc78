"""The GPUs of this machine, asked of the driver itself: no PyTorch, no CUDA toolkit.

No memory of a GPU is taken.
"""

from __future__ import annotations

import csv
import ctypes
import os
import subprocess
from pathlib import Path

import msgspec

_DRIVER_FILE = Path("/sys/module/nvidia/version")
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
_NAME_BYTES = 256
_SMI_S = 30


class Gpu(msgspec.Struct, frozen=True):
    """One GPU, and the driver that it is reached by.

    Attributes:
        name: as NVIDIA calls it.
        compute_capability: "major.minor".
        memory_mib: all of it.
        driver: version of the display driver; "unknown" if nobody tells.
        cuda: newest version of CUDA that the driver knows.
    """

    name: str
    compute_capability: str
    memory_mib: int
    driver: str
    cuda: str

    def __str__(self) -> str:
        return (
            f"{self.name}, compute capability {self.compute_capability}, {self.memory_mib:,} MiB, "
            f"driver {self.driver}, CUDA {self.cuda}"
        )


def count() -> int:
    """Return how many GPUs CUDA lets this process use; 0 if there is no driver."""
    driver, found = _driver(), ctypes.c_int(0)
    if driver is None or driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(found)):
        return 0
    return found.value


def gpus() -> list[Gpu]:
    """Return the GPUs that CUDA lets this process use; it would compute on the first."""
    driver, version = _driver(), ctypes.c_int(0)
    if driver is None:
        return []
    driver.cuDriverGetVersion(ctypes.byref(version))
    cuda, found = f"{version.value // 1000}.{version.value % 1000 // 10}", range(count())
    display = _driver_version() if found else ""
    return [_gpu(driver, ordinal, display, cuda) for ordinal in found]


def memory_used_mib() -> int | None:
    """Return the memory in use on the first GPU, by any process; None without `nvidia-smi`."""
    used = _smi("memory.used")
    return int(used) if used.isdecimal() else None


def _driver_version() -> str:
    try:
        return _smi("driver_version") or _DRIVER_FILE.read_text().strip()
    except OSError:
        return "unknown"


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


def _gpu(driver: ctypes.CDLL, ordinal: int, display: str, cuda: str) -> Gpu:
    device, total = ctypes.c_int(0), ctypes.c_size_t(0)
    name = ctypes.create_string_buffer(_NAME_BYTES)
    capability = ctypes.c_int(0), ctypes.c_int(0)
    driver.cuDeviceGet(ctypes.byref(device), ordinal)
    driver.cuDeviceGetName(name, len(name), device)
    driver.cuDeviceTotalMem_v2(ctypes.byref(total), device)
    for value, attribute in zip(capability, (_MAJOR, _MINOR), strict=True):
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
    return Gpu(
        name=name.value.decode("utf-8", "replace"),
        compute_capability=".".join(str(value.value) for value in capability),
        memory_mib=total.value >> 20,
        driver=display,
        cuda=cuda,
    )
