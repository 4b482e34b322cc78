from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import torch

from empgan_training import precision

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def not_warned_yet() -> Iterator[None]:
    precision._warn.cache_clear()
    yield
    precision._warn.cache_clear()


def product() -> torch.Tensor:
    return torch.ones(2, 3) @ torch.ones(3, 2)


@pytest.mark.parametrize("hardware", [True, False])
def test_bf16_is_used_where_there_is_hardware_for_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hardware: bool
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: hardware)
    with caplog.at_level(logging.WARNING, "empgan_training"):
        for _ in range(2):
            with precision.autocast(CPU, "bf16"):
                assert product().dtype == (torch.bfloat16 if hardware else torch.float32)
    said = ["this processor has no bfloat16: products are computed in float32"]
    assert caplog.messages == ([] if hardware else said)


@pytest.mark.parametrize("hardware", [True, False])
def test_fp32_is_fp32_everywhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hardware: bool
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: hardware)
    with caplog.at_level(logging.WARNING, "empgan_training"), precision.autocast(CPU, "fp32"):
        assert product().dtype == torch.float32
    assert caplog.messages == []


def test_processors_without_avx_512_have_no_bf16() -> None:
    if torch.backends.cpu.get_cpu_capability() in {"DEFAULT", "AVX2"}:
        assert not precision.has_bf16(CPU)
    assert isinstance(precision.has_bf16(CPU), bool)
