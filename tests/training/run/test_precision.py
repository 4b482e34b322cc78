from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import torch

from empgan_training.model.products import linear
from empgan_training.run import precision

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def not_warned_yet() -> Iterator[None]:
    precision._warn.cache_clear()
    yield
    precision._warn.cache_clear()


def rounded() -> bool:
    """Whether a large product is computed in bfloat16, which does not know 1 + 2 ** -9."""
    inputs, weight = torch.full((1024, 1024), 1 + 2**-9), torch.eye(1024)
    return bool((linear(inputs, weight) == 1).all())


@pytest.mark.parametrize("hardware", [True, False])
def test_bf16_is_used_where_there_is_hardware_for_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hardware: bool
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: hardware)
    with caplog.at_level(logging.WARNING, "empgan_training"):
        for _ in range(2):
            with precision.mixed_precision(CPU, "bf16"):
                assert rounded() == hardware
            assert not rounded()
    said = ["this processor has no bfloat16: products are computed in float32"]
    assert caplog.messages == ([] if hardware else said)


@pytest.mark.parametrize("hardware", [True, False])
def test_fp32_is_fp32_everywhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hardware: bool
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: hardware)
    with (
        caplog.at_level(logging.WARNING, "empgan_training"),
        precision.mixed_precision(CPU, "fp32"),
    ):
        assert not rounded()
    assert caplog.messages == []


def test_processors_without_avx_512_have_no_bf16() -> None:
    if torch.backends.cpu.get_cpu_capability() in {"DEFAULT", "AVX2"}:
        assert not precision.has_bf16(CPU)
    assert isinstance(precision.has_bf16(CPU), bool)


@pytest.mark.parametrize("hardware", [True, False])
def test_what_a_precision_comes_to(monkeypatch: pytest.MonkeyPatch, hardware: bool) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: hardware)
    assert precision.computed_in(CPU, "fp32") == "fp32"
    assert precision.computed_in(CPU, "bf16") == ("bf16" if hardware else "fp32")


def test_tf32_is_for_bf16_on_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    precision.choose_tf32(CPU, "fp32")
    assert torch.backends.cudnn.allow_tf32
    precision.choose_tf32(torch.device("cuda"), "fp32")
    assert not torch.backends.cudnn.allow_tf32
    precision.choose_tf32(torch.device("cuda"), "bf16")
    assert torch.backends.cudnn.allow_tf32
