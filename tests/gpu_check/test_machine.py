"""The machine that every other section's figures depend on."""

from __future__ import annotations

import pytest

from empgan_bench.measuring import gpu
from empgan_bench.measuring.gpu import Gpu
from gpu.report import Figures
from gpu.test_machine import test_which_machine_this_is as told_of

GPUS = [Gpu(name, "9.0", 81_559, "580.95.05", "13.2") for name in ("An H100", "Another")]


@pytest.mark.parametrize("gpus", [[], GPUS])
def test_what_is_told(gpus: list[Gpu], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "gpus", lambda: gpus)
    told: list[Figures] = []
    told_of(told.append)
    facts = {str(row["what"]): str(row["value"]) for row in told}
    assert [value for name, value in facts.items() if name.startswith("GPU")] == [*map(str, gpus)]
    assert ("GPU" in facts) == bool(gpus)  # without it a run ends
    assert {"CPU", "RAM", "system", "empgan-rt", "numpy", "msgspec"} <= facts.keys()
    assert all(facts.values())
