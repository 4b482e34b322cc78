"""Memory over many requests: who is asked, what counts as growth."""

from __future__ import annotations

from typing import Any

import pytest

from empgan_bench.gpu_check import memory
from empgan_bench.gpu_check.engines import NEEDS_ON, open_engine
from empgan_bench.gpu_check.memory import grown, soaked
from empgan_bench.gpu_check.records import Missing
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import ProviderError
from support.gpu_sections import MakeJob


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


def test_all_requests_are_answered(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "DRY_REQUESTS", 20)
    found = [*soaked(job(engine=""))]
    assert [f.figures["requests"] for f in found if f.figures] == [2, 8, 14, 20]
    assert all(isinstance(f.figures["host MiB"], float) for f in found if f.figures)
    notes = [f.note for f in found if f.note]
    assert notes[0] == "tiny in fp32 by onnxruntime on cpu"
    assert notes[1].startswith("growth is judged over 10,000 requests alone")


def test_on_a_gpu_growth_is_judged(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    used = iter([1000, 1000, 1000, 1500])
    monkeypatch.setattr(memory, "REQUESTS", 10)
    monkeypatch.setattr(memory, "missing", lambda needs: "")
    tiny = Bundle.open("tiny")
    monkeypatch.setattr(memory.Bundle, "open", lambda name: tiny)
    monkeypatch.setattr(memory.gpu, "memory_used_mib", lambda: next(used))
    monkeypatch.setattr(
        memory, "open_engine", lambda e, b, d, p: open_engine("onnxruntime", b, "cpu", p)
    )
    found = [*soaked(job(device="cuda"))]
    assert found[0].note == "default in fp32 by tensorrt on cuda"
    faults = [f.fault for f in found if f.fault]
    assert "the GPU's memory grew by 500 MiB from 1000" in faults


def test_the_first_engine_that_opens_is_asked(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def opened(engine: str, *_: object) -> Any:
        tried.append(engine)
        raise ProviderError("no", hint="really")

    monkeypatch.setattr(memory, "missing", lambda needs: "")
    monkeypatch.setattr(memory, "open_engine", opened)
    with pytest.raises(Missing) as none:
        list(soaked(job(device="cuda", broken=("tensorrt",))))
    assert tried == [engine for engine in NEEDS_ON if engine != "tensorrt"]
    assert str(none.value) == (
        "tensorrt: it did not pass before; onnxruntime: no (really); eager: no (really)"
    )
