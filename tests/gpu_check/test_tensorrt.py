"""The probe over stand-ins for TensorRT and CUDA, which execute on memory of the host."""

from __future__ import annotations

import pytest

from empgan_bench.gpu_check import tensorrt_probe
from empgan_bench.gpu_check.records import Missing
from empgan_bench.gpu_check.tensorrt_probe import probed
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import ProviderError
from runtime.backends.conftest import Fakes
from support.gpu_sections import MakeJob

VARIANTS = ["fp32", "int8"]


@pytest.fixture(autouse=True)
def _without_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out fp16, which the stand-in rounds elsewhere than the goldens."""
    bundle = Bundle.open("tiny")
    for name in {*bundle.manifest.variants} - {*VARIANTS}:
        del bundle.manifest.variants[name]
    monkeypatch.setattr(tensorrt_probe.Bundle, "open", lambda name: bundle)


@pytest.mark.usefixtures("fakes")
def test_each_step_is_told(job: MakeJob) -> None:
    found = [*probed(job())]
    assert [f.fault for f in found] == [""] * len(found)
    steps = [str(f.figures["step"]) for f in found]
    assert steps[:2] == ["found", "built"]
    assert steps[2:] == [
        f"executed in {precision}, {how}"
        for precision in VARIANTS
        for how in ("one by one", "captured steps")
    ]
    assert "8 engines" in str(found[1].figures["result"])


def test_an_engine_that_does_not_load_is_a_fault(fakes: Fakes, job: MakeJob) -> None:
    fakes.trt.damaged = True
    with pytest.raises(ProviderError):
        list(probed(job()))


def test_a_gpu_that_tensorrt_rtx_refuses_is_an_answer(fakes: Fakes, job: MakeJob) -> None:
    fakes.trt.__name__ = "tensorrt_rtx"
    fakes.trt.damaged = True
    with pytest.raises(Missing, match=r"tensorrt_rtx .* does not take this GPU: "):
        list(probed(job()))


@pytest.mark.usefixtures("fakes")
def test_other_numbers_are_a_fault(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tensorrt_probe.parity.Deviation({"log_probs": 0.5, "label_probs": 0.0}, True, 0)
    monkeypatch.setattr(tensorrt_probe.parity, "replay", lambda *_: wrong)
    faults = [f.fault for f in probed(job()) if f.fault]
    assert faults[0].startswith(
        "executed in fp32, one by one: log_probs deviates by 0.5, at most 0.0001"
    )
