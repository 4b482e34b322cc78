"""Memory over many requests: what is told, what counts as growth."""

from __future__ import annotations

import pytest

from empgan_rt.bundle.bundle import Bundle
from gpu import test_memory as checks
from gpu.engines import open_engine
from gpu.report import Figures
from gpu.test_memory import grown


@pytest.mark.parametrize(
    ("held", "faults"),
    [
        ([(1000.0, 2000), (1007.9, 2020), (1000.0, 1900)], 0),
        ([(1000.0, 2000), (1008.1, 2000)], 1),  # 8 MiB
        ([(100.0, 2000), (102.1, 2000)], 1),  # 2 %
        ([(1000.0, 2000), (1000.0, 2021), (1000.0, 2000)], 1),
        ([(1000.0, 2000), (1100.0, 2100)], 2),
        ([(1000.0, None), (1001.0, None)], 0),
    ],
)
def test_growth(held: list[tuple[float, int | None]], faults: int) -> None:
    assert len(grown(held)) == faults


def test_all_requests_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Figures] = []
    monkeypatch.setattr(checks, "DRY_REQUESTS", 20)
    monkeypatch.setattr(checks, "grown", lambda held: ["a few requests prove nothing"])
    checks.test_memory_stays_flat("onnxruntime", "cpu", told.append)
    assert [row["requests"] for row in told] == [2, 8, 14, 20]
    assert all(isinstance(row["host MiB"], float) for row in told)
    assert {row["bundle"] for row in told} == {"tiny"}


def test_on_a_gpu_growth_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Figures] = []
    used = iter([1000, 1000, 1000, 1500])
    tiny = Bundle.open("tiny")
    monkeypatch.setattr(checks, "REQUESTS", 10)
    monkeypatch.setattr(checks, "require", lambda engine, device: None)
    monkeypatch.setattr(checks.Bundle, "open", lambda name: tiny)
    monkeypatch.setattr(checks.gpu, "memory_used_mib", lambda: next(used))
    monkeypatch.setattr(
        checks, "open_engine", lambda e, b, d, p: open_engine("onnxruntime", b, "cpu", p)
    )
    with pytest.raises(AssertionError, match="the GPU's memory grew by 500 MiB from 1000"):
        checks.test_memory_stays_flat("tensorrt", "cuda", told.append)
    assert {row["bundle"] for row in told} == {"default"}
