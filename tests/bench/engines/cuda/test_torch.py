"""What keeps PyTorch from a GPU is named; every name of the table has an opener."""

from __future__ import annotations

import pytest
import torch

from empgan_bench.engines.base import resolve
from empgan_bench.engines.cuda.torch import require_gpu
from empgan_bench.engines.table import APPROXIMATE, ENGINES, FLOORS, YARDSTICKS
from empgan_rt.errors import ProviderError
from support.pretended.onnxruntime_gpu import Machine, be_on


@pytest.mark.parametrize("device", ENGINES)
def test_every_name_has_an_opener_and_every_floor_is_one(device: str) -> None:
    names = ENGINES[device]
    assert all(callable(resolve(opener)) for opener in names.values())
    assert {*FLOORS[device], *FLOORS[device].values()} <= {*names}
    assert {*FLOORS[device].values()} <= YARDSTICKS
    rounded = {name for name in names if name.endswith(("16", "int8"))}
    assert rounded <= APPROXIMATE | YARDSTICKS


def test_a_build_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(ProviderError, match="is built without CUDA") as caught:
        require_gpu()
    assert len(caught.value.hint.splitlines()) == 2


@pytest.mark.parametrize(
    ("machine", "message", "mend"),
    [
        (Machine(driver=False), "PyTorch .* needs an NVIDIA driver", "nvidia-smi"),
        (Machine(driver_cuda=12040), "needs CUDA 13, .* knows CUDA 12.4", "device 'cpu'"),
        (Machine(gpus=0), "finds no GPU", "CUDA_VISIBLE_DEVICES"),
        (Machine(), "finds no GPU that its CUDA 13.0 can use", "supports this GPU"),
    ],
)
def test_what_is_missing_is_named(
    machine: Machine, message: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    be_on(machine, monkeypatch)
    with pytest.raises(ProviderError, match=message) as caught:
        require_gpu()
    assert mend in caught.value.hint
    assert len(caught.value.hint.splitlines()) == 2


def test_a_gpu_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    be_on(Machine(driver=False), monkeypatch)  # nobody asks
    require_gpu()
