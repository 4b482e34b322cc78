"""The checks of TensorRT over stand-ins, which execute on memory of the host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.backends.tensorrt.machine import Machine
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import ParityError, ProviderError
from gpu import needs
from gpu.needs import missing
from runtime.backends.conftest import Fakes
from runtime.backends.tensorrt import test_on_gpu as checks


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    needs._refused.cache_clear()
    yield
    needs._refused.cache_clear()


@pytest.fixture
def told(fakes: Fakes) -> dict[str, Any]:
    """Collect the rows that a check tells, as pytest would."""
    return {"figures": []}


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("captures", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "int8"])  # the stand-in rounds fp16 elsewhere
def test_goldens_are_told(precision: str, captures: bool) -> None:
    rows: list[Any] = []
    checks.test_goldens_are_met(precision, captures, lambda name, row: rows.append((name, row)))
    ((name, row),) = rows
    assert name == "figures"
    how = "captured steps" if captures else "one by one"
    assert row["step"] == f"executed in {precision}, {how}"
    assert "log_probs off by " in row["result"]


@pytest.mark.usefixtures("fakes")
def test_engines_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle.open("tiny")
    del bundle.manifest.variants["fp16"]
    monkeypatch.setattr(checks.Bundle, "open", lambda name: bundle)
    rows: list[Any] = []
    checks.test_engines_load(Machine.here(), tmp_path, lambda name, row: rows.append(row))
    assert rows[0]["step"] == "built"
    assert rows[0]["result"].startswith("8 engines, ")


@pytest.mark.usefixtures("fakes")
def test_other_numbers_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = checks.parity.Deviation({"log_probs": 0.5, "label_probs": 0.0}, True, 0)
    monkeypatch.setattr(checks.parity, "replay", lambda *_: wrong)
    with pytest.raises(ParityError, match=r"^log_probs deviates by 0\.5, at most 0\.0001"):
        checks.test_goldens_are_met("fp32", False, lambda name, row: None)


def test_an_engine_that_does_not_load_fails(fakes: Fakes) -> None:
    fakes.trt.damaged = True
    assert missing(["tensorrt"]) == ""
    with pytest.raises(ProviderError):
        checks.test_goldens_are_met("fp32", False, lambda name, row: None)


def test_a_gpu_that_tensorrt_rtx_refuses_is_an_answer(fakes: Fakes) -> None:
    fakes.trt.__name__ = "tensorrt_rtx"
    assert missing(["tensorrt"]) == ""
    needs._refused.cache_clear()
    fakes.trt.damaged = True
    said = missing(["tensorrt"])
    assert said.startswith("tensorrt_rtx ")
    assert " does not take " in said
