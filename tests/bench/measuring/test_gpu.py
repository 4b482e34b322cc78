"""GPUs as the driver and `nvidia-smi` tell of them, over stand-ins for both."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from empgan_bench.measuring import gpu
from empgan_bench.measuring.gpu import Gpu


class Driver:
    """The calls of libcuda that are made here."""

    def __init__(self, gpus: Sequence[Gpu], refuses: int = 0) -> None:
        self.found, self.refuses = gpus, refuses

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self.refuses

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        version._obj.value = 13020
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = len(self.found)
        return 0

    def cuDeviceGet(self, device: Any, ordinal: int) -> int:  # noqa: N802
        device._obj.value = 100 + ordinal
        return 0

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:  # noqa: N802
        name.value = self.found[device.value - 100].name.encode()
        return 0

    def cuDeviceTotalMem_v2(self, total: Any, device: Any) -> int:  # noqa: N802
        total._obj.value = self.found[device.value - 100].memory_mib << 20
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:  # noqa: N802
        parts = self.found[device.value - 100].compute_capability.split(".")
        value._obj.value = int(parts[{75: 0, 76: 1}[attribute]])
        return 0


GPUS = [
    Gpu("NVIDIA H100 80GB HBM3", "9.0", 81_559, "580.95.05", "13.2"),
    Gpu("NVIDIA L4", "8.9", 23_034, "580.95.05", "13.2"),
]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    found = Driver(GPUS)
    monkeypatch.setattr(gpu, "_driver", lambda: found)
    return found


@pytest.fixture
def smi(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """An `nvidia-smi` that answers; the commands it was given."""
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if command[0] != "nvidia-smi":
            raise FileNotFoundError(command[0])
        asked.append(command)
        field = command[1].removeprefix("--query-gpu=")
        answer = {"driver_version": "580.95.05", "memory.used": "614"}[field]
        return subprocess.CompletedProcess(command, 0, f"{answer}\n", "")

    monkeypatch.setattr(gpu.subprocess, "run", run)
    return asked


@pytest.mark.usefixtures("smi")
def test_what_the_driver_tells(driver: Driver) -> None:
    assert gpu.gpus() == GPUS
    driver.refuses = 100
    assert gpu.gpus() == []


def no_smi(*_: object, **__: object) -> None:
    raise FileNotFoundError("nvidia-smi")


def test_without_a_driver_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_driver", lambda: None)
    monkeypatch.setattr(gpu.subprocess, "run", no_smi)
    assert gpu.gpus() == []
    assert gpu.count() == 0
    assert gpu.memory_used_mib() is None


@pytest.mark.usefixtures("driver")
def test_without_nvidia_smi_the_drivers_file_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gpu.subprocess, "run", no_smi)
    monkeypatch.setattr(gpu, "_DRIVER_FILE", tmp_path / "version")
    assert [each.driver for each in gpu.gpus()] == ["unknown", "unknown"]
    (tmp_path / "version").write_text("570.1\n")
    assert str(gpu.gpus()[1]) == (
        "NVIDIA L4, compute capability 8.9, 23,034 MiB, driver 570.1, CUDA 13.2"
    )


@pytest.mark.parametrize(
    ("visible", "asked_for"), [(None, "0"), ("", "0"), ("2,3", "2"), ("GPU-1a", "GPU-1a")]
)
def test_nvidia_smi_is_asked_of_the_first_visible_gpu(
    smi: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    visible: str | None,
    asked_for: str,
) -> None:
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu.memory_used_mib() == 614
    assert smi[0][-2:] == ["-i", asked_for]
    assert smi[0][1:3] == ["--query-gpu=memory.used", "--format=csv,noheader,nounits"]
