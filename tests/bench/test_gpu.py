"""The GPU is asked of the driver's libraries; what they do not say is unknown."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from empgan_bench.gpu import Gpu, current_gpu


class Driver:
    """libcuda and libnvidia-ml, as far as they are asked."""

    def __init__(self, *, gpu: bool = True, nvml: bool = True) -> None:
        self._gpu, self._nvml = gpu, nvml

    def load(self, name: str) -> Any:
        if name == "libcuda.so.1":
            return self
        if name == "libnvidia-ml.so.1" and self._nvml:
            return SimpleNamespace(
                nvmlInit_v2=lambda: 0, nvmlShutdown=lambda: 0, nvmlSystemGetDriverVersion=_version
            )
        raise OSError(f"{name}: cannot open shared object file")

    def cuInit(self, flags: int) -> int:  # noqa: N802 - the driver's names
        return 0

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        version._obj.value = 13010
        return 0

    def cuDeviceGet(self, device: Any, ordinal: int) -> int:  # noqa: N802
        device._obj.value = ordinal
        return 0 if self._gpu else 101

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:  # noqa: N802
        name.value = b"NVIDIA H100 80GB HBM3"
        return 0

    def cuDeviceTotalMem_v2(self, memory: Any, device: Any) -> int:  # noqa: N802
        memory._obj.value = 80 << 30
        return 0


def _version(text: Any, size: int) -> int:
    text.value = b"580.65.06"
    return 0


def test_it_is_named_with_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", Driver().load)
    found = current_gpu()
    assert found == Gpu("NVIDIA H100 80GB HBM3", 80.0, "580.65.06", "13.1")
    assert str(found) == "NVIDIA H100 80GB HBM3, 80.0 GiB, driver 580.65.06, CUDA 13.1"


def test_what_nobody_says_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", Driver(gpu=False, nvml=False).load)
    assert current_gpu() == Gpu("unknown", 0.0, "unknown", "13.1")

    def missing(name: str) -> Any:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert current_gpu() == Gpu("unknown", 0.0, "unknown", "unknown")
