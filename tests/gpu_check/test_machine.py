"""The machine that every other section's figures depend on."""

from __future__ import annotations

import pytest

from empgan_bench.gpu_check.machine import described
from empgan_bench.measuring import gpu
from empgan_bench.measuring.gpu import Gpu
from support.gpu_sections import MakeJob

GPUS = [Gpu(name, "9.0", 81_559, "580.95.05", "13.2") for name in ("An H100", "Another")]


@pytest.mark.parametrize("gpus", [[], GPUS])
def test_what_is_told(gpus: list[Gpu], job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "gpus", lambda: gpus)
    facts = {str(f.figures["what"]): str(f.figures["value"]) for f in described(job())}
    assert [value for name, value in facts.items() if name.startswith("GPU")] == [*map(str, gpus)]
    assert {"CPU", "RAM", "system", "empgan-rt", "numpy", "msgspec"} <= facts.keys()
    assert all(facts.values())
