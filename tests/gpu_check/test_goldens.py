"""Engines held to the goldens and to the CPU's replies, on this machine's CPU."""

from __future__ import annotations

from typing import Any

import pytest

from empgan_bench.gpu_check import engines, goldens, needs, tokens
from empgan_bench.gpu_check.engines import NEEDS_ON, open_engine, precisions
from empgan_bench.measuring.gate import Cell, ParityGate
from empgan_bench.measuring.workload import load_workload
from empgan_rt.backends.loader import BACKENDS
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import ProviderError
from empgan_rt.text.featurizer import encoder_input
from support.gpu_sections import MakeJob

CELL = Cell(32, 1, "natural")


def test_every_backend_is_held_against_the_cpu() -> None:
    on_cuda = {name for name, classes in BACKENDS.items() if "cuda" in classes}
    assert {*NEEDS_ON} == on_cuda | {"eager"}
    assert {need for on in NEEDS_ON.values() for n in on.values() for need in n} <= {*needs.NEEDS}


def test_goldens_of_every_precision(job: MakeJob) -> None:
    found = [*goldens.replayed(job())]
    variants = Bundle.open("tiny").manifest.variants
    assert [f.figures["precision"] for f in found] == sorted(variants)
    assert [f.fault for f in found] == [""] * len(variants)
    assert {f.figures["tokens"] for f in found} == {"equal"}


def test_eager_is_held_to_float32_alone(job: MakeJob) -> None:
    (found,) = goldens.replayed(job(engine="eager"))
    assert (found.figures["precision"], found.fault) == ("fp32", "")


def test_an_error_is_a_fault_of_its_precision(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(engine: str, bundle: Bundle, device: str, precision: str) -> Any:
        if precision == "fp16":
            raise ProviderError("the device is lost", hint="start anew")
        return open_engine(engine, bundle, device, precision)

    monkeypatch.setattr(goldens, "open_engine", lost)
    found = {f.figures["precision"]: f.fault for f in goldens.replayed(job())}
    assert found.pop("fp16") == "tiny in fp16: the device is lost (start anew)"
    assert {*found.values()} == {""}


def test_other_numbers_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle.open("tiny")
    monkeypatch.setattr(goldens, "open_engine", lambda e, b, d, p: open_engine(e, b, d, "int8"))
    found = goldens.replay(bundle, "tiny", "onnxruntime", "cpu", "fp32")
    assert found.fault.startswith("tiny in fp32: log_probs deviates by ")
    assert found.figures["at most"] == 0.0001


def test_replies_are_those_of_the_cpu(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "DRY_CONTEXTS", 4)
    note, *found = tokens.compared(job(engine="eager"))
    assert note.note == "4 contexts of tiny, against ONNX Runtime on the CPU"
    assert [(f.figures["precision"], f.figures["beam"]) for f in found] == [
        ("fp32", 1),
        ("fp32", 5),
    ]
    assert all(f.fault == "" and f.figures["share of equal"] == 1.0 for f in found)


def test_without_onnx_runtime_eager_pytorch_is_the_reference(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "DRY_CONTEXTS", 2)
    monkeypatch.setattr(
        tokens, "missing", lambda names: "not installed" if "onnxruntime" in names else ""
    )
    note, *found = tokens.compared(job(engine="onnxruntime"))
    assert note.note.endswith("against eager PyTorch on the CPU")
    assert len(found) == 2 * len(precisions("onnxruntime", Bundle.open("tiny")))


@pytest.mark.parametrize(("precision", "share"), [("fp32", 0.5), ("int8", 0.5)])
def test_other_replies_fail_float32_alone(precision: str, share: float) -> None:
    bundle = Bundle.open("tiny")
    contexts = load_workload(None, bundle.featurizer()).contexts[:2]
    batches = [encoder_input(contexts)]
    wanted = [[[5, 6, 3], [7, 3]]]
    gate = ParityGate(None, ["int8"])
    found = tokens.judged(gate, bundle, batches, precision, CELL, wanted, [[[5, 6, 3], [8, 3]]])
    figures = found.figures
    assert (figures["equal"], figures["other"], figures["share of equal"]) == (1, 1, share)
    fails = "fp32, beam 1: FAILED: 1 of 2 replies differ"
    assert found.fault == (fails if precision == "fp32" else "")


def test_an_engine_that_does_not_open_is_a_fault(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = engines.open_engine

    def lost(engine: str, bundle: Bundle, device: str, precision: str) -> Any:
        if precision == "int8":
            raise ProviderError("memory is full")
        return real(engine, bundle, device, precision)

    monkeypatch.setattr(tokens, "DRY_CONTEXTS", 2)
    monkeypatch.setattr(tokens, "open_engine", lost)
    faults = [f.fault for f in tokens.compared(job()) if f.fault]
    assert faults == ["int8: memory is full"]
