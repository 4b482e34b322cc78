"""ONNX Runtime's TensorRT provider: what is asked of it; CUDA does not take its place."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from empgan_rt.backends.loader import load_backend
from empgan_rt.backends.onnxruntime import providers
from empgan_rt.backends.onnxruntime import session as ort_session
from empgan_rt.backends.onnxruntime.session import session_of_any_signature
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import InputError, ProviderError, StorageError
from support.pretended.onnxruntime_gpu import Machine, OnnxRuntimeGpu, be_on

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
# Seen with onnxruntime-gpu 1.31.1 over a stand-in for CUDA, without TensorRT; shortened.
NO_TENSORRT = (
    "/onnxruntime_src/onnxruntime/python/onnxruntime_pybind_state.cc:729 void onnxruntime::python::"
    "RegisterTensorRTPluginsAsCustomOps(...) Please install TensorRT libraries as mentioned in the "
    "GPU requirements page, make sure they're in the PATH or LD_LIBRARY_PATH, and that your GPU is "
    "supported."
)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    be_on(Machine(), monkeypatch)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "empgan-rt" / "trt"


def opened(monkeypatch: pytest.MonkeyPatch, ort: OnnxRuntimeGpu, whole: bool = False) -> object:
    monkeypatch.setattr(ort_session, "import_onnxruntime", lambda: ort)
    return session_of_any_signature(b"graph", b"weights", "step", "tensorrt", whole)


def test_cuda_takes_what_tensorrt_leaves(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = {providers.TENSORRT: ["GRU"], CUDA: ["TopK", "MatMul"], CPU: ["Concat"]}
    ort = OnnxRuntimeGpu(chosen=providers.TENSORRT, nodes=nodes)
    opened(monkeypatch, ort)
    [(_, [(first, settings), (second, of_cuda)], fallback)] = ort.asked
    assert (first, second, fallback) == (providers.TENSORRT, CUDA, 0)
    assert of_cuda["use_tf32"] == "0"
    assert settings["trt_op_types_to_exclude"] == "TopK"
    assert not [name for name in settings if "engine_cache" in name]  # it would load them unchecked
    assert Path(settings["trt_timing_cache_path"]) == cache
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_costly_nodes_on_the_cpu_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ort = OnnxRuntimeGpu(chosen=providers.TENSORRT, nodes={CUDA: ["GRU"], CPU: ["MatMul"]})
    with pytest.raises(ProviderError, match="left MatMul of the step to the CPU"):
        opened(monkeypatch, ort)
    opened(monkeypatch, ort, whole=True)
    assert ort.asked[1][0] == {"session.disable_cpu_ep_fallback": "1"}


@pytest.mark.parametrize("refuses", [None, RuntimeError(NO_TENSORRT)])
def test_cuda_is_not_taken_in_its_place(
    cache: Path, monkeypatch: pytest.MonkeyPatch, refuses: Exception | None
) -> None:
    with pytest.raises(ProviderError, match=r"needs TensorRT 10: libnvinfer\.so\.10") as caught:
        opened(monkeypatch, OnnxRuntimeGpu(chosen=CUDA, refuses=refuses))
    assert "backend 'tensorrt'" in caught.value.hint


@pytest.mark.usefixtures("cache")
def test_the_folder_of_timings_must_be_private(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    with pytest.raises(StorageError):
        opened(monkeypatch, OnnxRuntimeGpu(chosen=providers.TENSORRT))


def test_a_build_without_it_says_so() -> None:
    with pytest.raises(ProviderError, match="CUDAExecutionProvider is not in this onnxruntime"):
        load_backend(Bundle.open("tiny"), device="tensorrt")


def test_devices_are_those_of_the_loader() -> None:
    from empgan_rt.backends.loader import BACKENDS

    assert providers.DEVICES.keys() == BACKENDS["onnxruntime"].keys()
    assert {providers.known(name).memory for name in ("cuda", "tensorrt")} == {"cuda"}
    with pytest.raises(InputError, match="device 'tpu'") as caught:
        providers.known("tpu")
    assert "cpu, cuda, tensorrt" in caught.value.hint
