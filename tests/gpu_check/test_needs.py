"""What is missing, by name and with its mend."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from empgan_bench.measuring import gpu
from gpu import needs
from gpu.engines import NEEDS_ON
from gpu.needs import missing


def test_every_need_of_an_engine_is_in_the_table() -> None:
    named = {need for on in NEEDS_ON.values() for names in on.values() for need in names}
    assert named == needs.NEEDS.keys()


def test_the_first_need_that_is_not_met_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"one": lambda: "", "two": lambda: "two: install it", "three": lambda: "three"}
    monkeypatch.setattr(needs, "NEEDS", table)
    assert missing(("one", "two", "three")) == "two: install it"
    assert missing(("one",)) == ""


def test_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "count", lambda: 0)
    assert missing(["gpu"]).startswith("no GPU: see that `nvidia-smi` lists one")
    monkeypatch.setattr(gpu, "count", lambda: 1)
    assert missing(["gpu"]) == ""


@pytest.mark.parametrize(
    ("need", "absent", "said"),
    [
        ("torch", "torch", "torch not installed: pip install 'empgan-rt[train]'"),
        ("torch on cuda", "safetensors", "safetensors not installed: pip install 'empgan-rt[tra"),
    ],
)
def test_packages(need: str, absent: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find_spec", lambda name: None if name == absent else object())
    assert missing([need]).startswith(said)


def test_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing(["onnxruntime"]) == ""
    for providers, said in (
        (["CPUExecutionProvider"], "onnxruntime 1.30.0 is the build without CUDAExecutionProvider"),
        (["CUDAExecutionProvider", "CPUExecutionProvider"], ""),
    ):
        module = SimpleNamespace(
            __version__="1.30.0", get_available_providers=lambda p=providers: p
        )
        monkeypatch.setattr(needs, "import_onnxruntime", lambda m=module: m)
        assert missing(["onnxruntime on cuda"]).startswith(said)
        assert bool(missing(["onnxruntime on cuda"])) == bool(said)


def test_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    said = missing(["tensorrt"])
    assert "TensorRT" in said
    assert "pip install tensorrt-rtx" in said
    assert "\n" not in said


def test_pytorch_that_computes_on_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said = missing(["torch on cuda"])
    assert "is built without CUDA (pip install" in said
    assert "\n" not in said
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert missing(["torch on cuda"]) == ""
