"""Each thing that keeps CUDA from being used is named, with two lines that mend it."""

from __future__ import annotations

import re

import pytest

from empgan_rt.backends.onnxruntime import cuda
from empgan_rt.backends.onnxruntime.cuda_diagnosis import require_driver, why_not
from empgan_rt.backends.onnxruntime.providers import TENSORRT
from support.pretended.onnxruntime_gpu import LIBRARIES, Machine, OnnxRuntimeGpu, be_on

CUDA_12 = ("libcudart.so.12", "libcublasLt.so.12", "libcublas.so.12", "libcurand.so.10")


@pytest.mark.parametrize(
    ("machine", "message", "mend"),
    [
        (Machine(driver=False), "needs an NVIDIA driver, and there is none", "nvidia-smi"),
        (
            Machine(driver_cuda=12040),
            "onnxruntime-gpu 1.31.1 needs CUDA 13, and the NVIDIA driver knows CUDA 12.4",
            "update the driver to 580",
        ),
        (Machine(init=100), r"finds no GPU \(code 100, 0 devices\)", "CUDA_VISIBLE_DEVICES"),
        (Machine(gpus=0), r"finds no GPU \(code 0, 0 devices\)", "CUDA_VISIBLE_DEVICES"),
        (
            Machine(libraries=()),
            "needs CUDA 13: libcudart.so.13, .*, libcurand.so.10 cannot be loaded",
            r"onnxruntime-gpu\[cuda,cudnn\]'  # brings",
        ),
        (
            Machine(libraries=(*CUDA_12, "libcudnn.so.9")),
            "CUDA 12 is there, but onnxruntime-gpu 1.31.1 needs CUDA 13",
            "<1.27'  # for CUDA 12",
        ),
        (
            Machine(libraries=LIBRARIES[:-1]),
            "needs cuDNN 9 for our encoders: libcudnn.so.9",
            "nvidia-cudnn-cu13",
        ),
        (Machine(), "listed but cannot be used: it said so", "supports this GPU"),
    ],
)
def test_what_is_missing_is_named(
    machine: Machine, message: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_on(machine, monkeypatch)
    error = why_not(OnnxRuntimeGpu(), cuda.PROVIDER, "it said so")
    assert error.exit_code == 3
    assert re.search(message, error.message)
    assert len(error.hint.splitlines()) == 2
    assert re.search(mend, error.hint)


def test_a_wheel_for_cuda_12_is_content_with_cuda_12(monkeypatch: pytest.MonkeyPatch) -> None:
    be_on(Machine(driver_cuda=12040, libraries=(*CUDA_12, "libcudnn.so.9")), monkeypatch)
    ort = OnnxRuntimeGpu()
    ort.cuda_version = "12.8"
    require_driver(ort)
    assert "listed but cannot be used" in why_not(ort, cuda.PROVIDER, "it said so").message


def test_a_build_that_does_not_name_its_cuda_is_not_guessed_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    be_on(Machine(libraries=("libcudnn.so.9",)), monkeypatch)
    ort = OnnxRuntimeGpu()
    ort.cuda_version = ""
    require_driver(ort)
    error = why_not(ort, cuda.PROVIDER, "it said so")
    assert "listed but cannot be used: it said so" in error.message


def test_tensorrt_needs_cuda_first_and_then_its_own_libraries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    be_on(Machine(libraries=()), monkeypatch)
    assert "needs CUDA 13" in why_not(OnnxRuntimeGpu(), TENSORRT, "it said so").message
    be_on(Machine(), monkeypatch)
    error = why_not(OnnxRuntimeGpu(), TENSORRT, "it said so")
    assert "needs TensorRT 10: libnvinfer.so.10 cannot be loaded" in error.message
    assert "tensorrt-cu13>=10.15,<11" in error.hint
    assert len(error.hint.splitlines()) == 2
    be_on(Machine(libraries=(*LIBRARIES, "libnvinfer.so.10")), monkeypatch)
    error = why_not(OnnxRuntimeGpu(), TENSORRT, "it said so")
    assert "TensorrtExecutionProvider is listed but cannot be used: it said so" in error.message


def test_a_machine_with_a_driver_and_a_gpu_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    be_on(Machine(libraries=()), monkeypatch)
    require_driver(OnnxRuntimeGpu())  # libraries may be found where the loader does not look
