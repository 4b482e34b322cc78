"""Every engine decodes a real small model; those that are not approximate write eager's replies."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from empgan_bench.engines.base import Engine, resolve
from empgan_bench.engines.openvino import open_openvino
from empgan_bench.engines.table import APPROXIMATE, ENGINES, REFERENCE, YARDSTICKS, label
from empgan_bench.measuring.workload import load_workload
from empgan_bench.workers.worker import measure
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.errors import DependencyError

# Compiling is slow, and warns about PyTorch's own code.
MARKS = {"compile": (pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning"))}


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=MARKS.get(name, ()))
        for name in ENGINES["cpu"]
        if name not in YARDSTICKS
    ],
)
def test_an_engine_writes_what_it_should(
    small_bundle: tuple[Path, Path], name: str, beam_size: int
) -> None:
    path = "tiny" if name.endswith("-fp16") else str(small_bundle[1])  # which has no such variant
    batches = load_workload(None, Bundle.open(path).featurizer()).batches(3, seed=1)[:3]
    search = SearchConfig(beam_size=beam_size, max_length=6)
    engine, reference = (resolve(ENGINES["cpu"][n])(path, 1) for n in (name, REFERENCE))
    assert isinstance(engine, Engine)
    assert isinstance(reference, Engine)
    found, wanted = (
        [reply for batch in batches for reply in measure(e, batch, search).replies]
        for e in (engine, reference)
    )
    assert engine.versions
    assert len(found) == 9
    if name in APPROXIMATE:
        assert sum(one == other for one, other in zip(found, wanted, strict=True)) >= 5
    else:
        assert found == wanted


def test_a_yardstick_is_never_shown_as_an_engine() -> None:
    assert label("onnxruntime-int8") == "onnxruntime-int8"
    assert label("floor-int8") == "floor-int8 (products only)"
    assert label("joeynmt") == "joeynmt (peer)"


def test_a_missing_openvino_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DependencyError, match="openvino is not installed"):
        open_openvino("tiny", 1)
