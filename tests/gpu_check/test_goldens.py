"""Engines held to the goldens and to the CPU's replies, on this machine's CPU."""

from __future__ import annotations

from typing import Any

import pytest

from empgan_bench.measuring.gate import Cell, ParityGate
from empgan_bench.measuring.workload import load_workload
from empgan_rt.backends.loader import BACKENDS
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import ParityError, ProviderError
from empgan_rt.text.featurizer import encoder_input
from gpu import needs, test_goldens, test_tokens
from gpu.engines import ENGINES, NEEDS_ON, PRECISIONS, offered, open_engine, require
from gpu.report import Figures
from gpu.test_goldens import test_an_engine_computes_what_was_recorded as goldens
from gpu.test_tokens import Wanted, judged, wanted_from

CELL = Cell(32, 1, "natural")


def test_every_backend_is_held_against_the_cpu() -> None:
    on_cuda = {name for name, classes in BACKENDS.items() if "cuda" in classes}
    assert {*NEEDS_ON} == on_cuda | {"eager"}
    assert {engine.values[0] for engine in ENGINES} == {*NEEDS_ON}
    assert {need for on in NEEDS_ON.values() for n in on.values() for need in n} <= {*needs.NEEDS}


@pytest.mark.parametrize("name", ["tiny", "default"])
def test_every_precision_of_a_bundle_is_asked_for(name: str) -> None:
    assert {*Bundle.open(name).manifest.variants} <= {*PRECISIONS}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_goldens_of_every_precision(precision: str) -> None:
    told: list[Figures] = []
    goldens("onnxruntime", "tiny", precision, "cpu", told.append)
    assert [(row["precision"], row["tokens"]) for row in told] == [(precision, "equal")]


@pytest.mark.parametrize("engine", NEEDS_ON)
def test_eager_is_held_to_float32_alone(engine: str) -> None:
    bundle = Bundle.open("tiny")
    offered(engine, bundle, "fp32")
    if engine != "eager":
        offered(engine, bundle, "fp16")
        with pytest.raises(pytest.skip.Exception, match="the bundle has no fp8"):
            offered(engine, bundle, "fp8")
    else:
        with pytest.raises(pytest.skip.Exception, match="the reference, in fp32"):
            offered(engine, bundle, "fp16")


def test_an_engine_that_is_not_there_is_skipped_with_its_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(needs.NEEDS, "torch", lambda: "torch is not installed: install it")  # type: ignore[index]
    with pytest.raises(pytest.skip.Exception, match=r"^torch is not installed: install it$"):
        require("eager", "cpu")
    with pytest.raises(pytest.skip.Exception, match=r"^no GPU in a dry run$"):
        require("tensorrt", "cpu")
    require("onnxruntime", "cpu")


def test_a_dry_run_opens_the_tiny_bundle_alone() -> None:
    with pytest.raises(pytest.skip.Exception, match="`tiny` alone"):
        goldens("onnxruntime", "default", "fp32", "cpu", print)


def test_an_error_fails_its_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> Any:
        raise ProviderError("the device is lost", hint="start anew")

    monkeypatch.setattr(test_goldens, "open_engine", lost)
    with pytest.raises(ProviderError, match="the device is lost"):
        goldens("onnxruntime", "tiny", "fp16", "cpu", print)


def test_other_numbers_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Figures] = []
    monkeypatch.setattr(
        test_goldens, "open_engine", lambda e, b, d, p: open_engine(e, b, d, "int8")
    )
    with pytest.raises(ParityError, match=r"^log_probs deviates by "):
        goldens("onnxruntime", "tiny", "fp32", "cpu", told.append)
    assert told[0]["at most"] == 0.0001


class Asked:
    """Stands in for pytest's request of the CPU's replies."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted

    def getfixturevalue(self, name: str) -> Wanted:
        assert name == "wanted"
        return self._wanted


def told_by(engine: str, precision: str, count: int) -> list[Figures]:
    told: list[Figures] = []
    wanted = Asked(wanted_from("tiny", count))
    test_tokens.test_replies_are_those_of_the_cpu(engine, precision, "cpu", told.append, wanted)  # type: ignore[arg-type]
    return told


def test_replies_are_those_of_the_cpu() -> None:
    found = told_by("eager", "fp32", 4)
    assert [(row["precision"], row["beam"], row["contexts"]) for row in found] == [
        ("fp32", 1, 4),
        ("fp32", 5, 4),
    ]
    assert all(row["share of equal"] == 1.0 for row in found)
    assert all(row["against, on the CPU"] == "onnxruntime" for row in found)


def test_without_onnx_runtime_eager_pytorch_is_the_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        test_tokens, "missing", lambda names: "not installed" if "onnxruntime" in names else ""
    )
    found = told_by("onnxruntime", "fp32", 2)
    assert [row["against, on the CPU"] for row in found] == ["eager", "eager"]


def test_without_either_nothing_can_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_tokens, "missing", lambda names: "not installed")
    with pytest.raises(pytest.skip.Exception, match="nothing computes on the CPU: not installed"):
        wanted_from("tiny", 2)


@pytest.mark.parametrize(("precision", "share"), [("fp32", 0.5), ("int8", 0.5)])
def test_other_replies_fail_float32_alone(precision: str, share: float) -> None:
    bundle = Bundle.open("tiny")
    contexts = load_workload(None, bundle.featurizer()).contexts[:2]
    wanted = Wanted(bundle, [encoder_input(contexts)], {CELL: [[[5, 6, 3], [7, 3]]]}, "nobody")
    gate = ParityGate(None, ["int8"])
    figures, fault = judged(gate, wanted, precision, CELL, [[[5, 6, 3], [8, 3]]])
    assert (figures["equal"], figures["other"], figures["share of equal"]) == (1, 1, share)
    fails = "fp32, beam 1: FAILED: 1 of 2 replies differ"
    assert fault == (fails if precision == "fp32" else "")


def test_a_fault_of_the_replies_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_tokens, "judged", lambda *_: ({}, "one is not"))
    with pytest.raises(AssertionError, match="one is not; one is not"):
        told_by("onnxruntime", "fp32", 1)


def test_an_engine_that_does_not_open_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = wanted_from("tiny", 2)

    def lost(*_: object) -> Any:
        raise ProviderError("memory is full")

    monkeypatch.setattr(test_tokens, "wanted_from", lambda *_: wanted)
    monkeypatch.setattr(test_tokens, "open_engine", lost)
    with pytest.raises(ProviderError, match="memory is full"):
        test_tokens.test_replies_are_those_of_the_cpu(
            "onnxruntime",
            "int8",
            "cpu",
            print,
            Asked(wanted),  # type: ignore[arg-type]
        )
