"""A machine with a GPU, as far as our own code can tell."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.pretended.cuda_runtime import CudaRuntime
from support.pretended.tensorrt import TensorRt


@dataclass(frozen=True)
class Fakes:
    """The modules that stand in for TensorRT and CUDA."""

    trt: TensorRt
    cuda: CudaRuntime


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fakes:
    """Fake modules where the real ones would be, and an empty cache of engines."""
    cuda = CudaRuntime()
    found = Fakes(TensorRt(cuda=cuda), cuda)
    monkeypatch.setitem(sys.modules, "tensorrt", found.trt)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return found
