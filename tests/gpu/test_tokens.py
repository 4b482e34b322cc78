"""Whether an engine on the GPU writes what the CPU does, on the bench's own dialogues.

float32 must write the same tokens, ties aside, as the bench's gate defines them. Other precisions
round, and of them it is told how many replies are those of float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import pytest

from empgan_bench.batches.suite import search_of
from empgan_bench.engines.base import Engine, eager_rescore
from empgan_bench.measuring.gate import Cell, ParityGate
from empgan_bench.measuring.workload import load_workload
from empgan_bench.workers.worker import measure
from empgan_rt.backend import Backend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.graph_spec import EncoderInput
from empgan_rt.text.featurizer import encoder_input
from gpu.engines import ENGINES, PRECISIONS, Tell, offered, open_engine, require
from gpu.needs import missing
from gpu.report import Value

pytestmark = pytest.mark.gpu

CONTEXTS, DRY_CONTEXTS = 256, 16
CELLS = (Cell(32, 1, "natural"), Cell(32, 5, "natural"))
Replies = list[list[list[int]]]
"""Of each batch, each dialogue: token ids."""


@dataclass(frozen=True)
class Wanted:
    """What the CPU writes in float32, and who computed it there."""

    bundle: Bundle
    batches: Sequence[EncoderInput]
    replies: Mapping[Cell, Replies]
    by: str


def wanted_from(name: str, count: int) -> Wanted:
    """Return the CPU's replies to some contexts; where nothing computes there, skip the test."""
    engine, said = "onnxruntime", missing(["onnxruntime"])
    if said:
        engine = "eager"
        if missing(["torch"]):
            pytest.skip(f"nothing computes on the CPU: {said}")
    bundle, size = Bundle.open(name), CELLS[0].batch
    workload = load_workload(None, bundle.featurizer())
    contexts = [workload.contexts[place] for place in workload.drawn(count, seed=0)]
    batches = [encoder_input(contexts[at : at + size]) for at in range(0, count, size)]
    with closing(open_engine(engine, bundle, "cpu", "fp32")) as reference:
        found = {cell: replies(reference, bundle, batches, cell) for cell in CELLS}
    return Wanted(bundle, batches, found, engine)


@pytest.fixture(scope="module")
def wanted(device: str) -> Wanted:
    return wanted_from(*(("tiny", DRY_CONTEXTS) if device == "cpu" else ("default", CONTEXTS)))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("engine", ENGINES)
def test_replies_are_those_of_the_cpu(
    engine: str, precision: str, device: str, tell: Tell, request: pytest.FixtureRequest
) -> None:
    require(engine, device)  # before the CPU computes for nothing
    wanted: Wanted = request.getfixturevalue("wanted")
    offered(engine, wanted.bundle, precision)
    rescore = None if missing(["torch"]) else eager_rescore(wanted.bundle)
    gate, faults = ParityGate(rescore, {*PRECISIONS} - {"fp32"}), list[str]()
    with closing(open_engine(engine, wanted.bundle, device, precision)) as backend:
        for cell in CELLS:
            found = replies(backend, wanted.bundle, wanted.batches, cell)
            figures, fault = judged(gate, wanted, precision, cell, found)
            tell(figures | {"against, on the CPU": wanted.by})
            faults += [fault] if fault else []
    assert not faults, "; ".join(faults)


def replies(
    backend: Backend, bundle: Bundle, batches: Sequence[EncoderInput], cell: Cell
) -> Replies:
    """Return the best replies to some batches, as the gate compares them."""
    engine = Engine(backend, bundle.model.vocabulary_size, {})
    search = search_of(cell, bundle.search)
    return [measure(engine, inputs, search).replies for inputs in batches]


def judged(
    gate: ParityGate, wanted: Wanted, precision: str, cell: Cell, found: Replies
) -> tuple[dict[str, Value], str]:
    """Return how many replies are equal, and a fault if they have to be and are not."""
    search = search_of(cell, wanted.bundle.search)
    for item, inputs in enumerate(wanted.batches):
        gate.compare(precision, cell, item, inputs, search, wanted.replies[cell][item], found[item])
    verdict = gate.verdict(precision, cell)
    figures: dict[str, Value] = {
        "precision": precision,
        "beam": cell.beam,
        "contexts": verdict.contexts,
        "equal": verdict.contexts - verdict.ties - verdict.mismatches,
        "ties": verdict.ties,
        "other": verdict.mismatches,
        "share of equal": 1 - verdict.mismatches / verdict.contexts,
    }
    return figures, "" if verdict.passed else f"{precision}, beam {cell.beam}: {verdict}"
