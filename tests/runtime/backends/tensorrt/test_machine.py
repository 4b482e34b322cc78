"""What is installed, and which GPU there is; nothing of it is guessed."""

from __future__ import annotations

import sys
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest

from empgan_rt.backends.tensorrt.machine import (
    Gpu,
    current_gpu,
    import_tensorrt,
    is_rtx,
    version_of,
)
from empgan_rt.errors import DependencyError, ProviderError


class _Error(Enum):
    cudaSuccess = 0  # noqa: N815 - CUDA's names
    cudaErrorNoDevice = 100  # noqa: N815


def _cuda(error: _Error = _Error.cudaSuccess) -> Any:
    properties = SimpleNamespace(name=b"NVIDIA H100 80GB HBM3", major=9, minor=0)
    return SimpleNamespace(
        cudaError_t=_Error,
        cudaGetDevice=lambda: (error, 0),
        cudaGetDeviceProperties=lambda device: (error, properties),
        cudaDriverGetVersion=lambda: (error, 13000),
    )


def _install(monkeypatch: pytest.MonkeyPatch, **modules: Any) -> None:
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name.replace("__", "."), module)


def test_tensorrt_comes_before_rtx(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = SimpleNamespace(__name__="tensorrt", __version__="11.4.0")
    rtx = SimpleNamespace(__name__="tensorrt_rtx", __version__="1.7.1")
    _install(monkeypatch, tensorrt=plain, tensorrt_rtx=rtx)
    assert version_of(import_tensorrt()) == "tensorrt 11.4.0"
    assert not is_rtx(plain)
    _install(monkeypatch, tensorrt=None)  # cannot be imported
    assert version_of(import_tensorrt()) == "tensorrt_rtx 1.7.1"
    assert is_rtx(rtx)


def test_neither_is_told_with_two_lines_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, tensorrt=None, tensorrt_rtx=None)
    with pytest.raises(DependencyError, match="TensorRT is not installed") as raised:
        import_tensorrt()
    assert len(raised.value.hint.splitlines()) == 2
    assert "empgan-rt[tensorrt]" in raised.value.hint


def test_a_broken_one_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise ImportError("libnvinfer.so.11: cannot open shared object file")

    monkeypatch.setattr("empgan_rt.backends.tensorrt.machine.importlib.import_module", broken)
    with pytest.raises(DependencyError, match=r"cannot be loaded \(tensorrt: libnvinfer\.so\.11"):
        import_tensorrt()


def test_the_gpu_and_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = SimpleNamespace(
        init_v2=lambda: None, system_get_driver_version=lambda: "580.95", shutdown=lambda: None
    )
    _install(monkeypatch, cuda__bindings__runtime=_cuda(), cuda__bindings__nvml=nvml)
    assert current_gpu() == Gpu("NVIDIA H100 80GB HBM3", "9.0", "580.95")
    _install(monkeypatch, cuda__bindings__nvml=None)
    assert current_gpu().driver == "CUDA 13000"


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, cuda__bindings__runtime=_cuda(_Error.cudaErrorNoDevice))
    with pytest.raises(ProviderError, match="cudaErrorNoDevice"):
        current_gpu()


def test_no_cuda_python(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, cuda__bindings__runtime=None)
    with pytest.raises(DependencyError, match="cuda-python is not installed"):
        current_gpu()
