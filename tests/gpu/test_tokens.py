"""Whether an engine on the GPU writes what the CPU does, on the bench's own dialogues.

float32 must write the same tokens, ties aside, as the bench's gate defines them. Other precisions
round, and of them it is told how many replies are those of float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from empgan_rt.backend import Backend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import EmpganError
from empgan_rt.graph_spec import EncoderInput
from empgan_rt.text.featurizer import encoder_input

from ..batches.suite import search_of
from ..engines.base import Engine, eager_rescore
from ..measuring.gate import Cell, ParityGate
from ..measuring.workload import load_workload
from ..workers.worker import measure
from .engines import open_engine, precisions
from .needs import missing, one_line
from .records import Figures, Finding, Job, Missing

CONTEXTS, DRY_CONTEXTS = 256, 16
_CELLS = (Cell(32, 1, "natural"), Cell(32, 5, "natural"))
Replies = list[list[list[int]]]
"""Of each batch, each dialogue: token ids."""


def compared(job: Job) -> Iterator[Finding]:
    """Yield how many replies of each precision are the CPU's, greedy and with 5 beams."""
    name = "tiny" if job.dry else "default"
    bundle = Bundle.open(name)
    workload = load_workload(None, bundle.featurizer())
    count, size = DRY_CONTEXTS if job.dry else CONTEXTS, _CELLS[0].batch
    places = workload.drawn(count, seed=0)
    batches = [
        encoder_input([workload.contexts[place] for place in places[at : at + size]])
        for at in range(0, count, size)
    ]
    reference, told = _reference(bundle)
    yield Finding(note=f"{count} contexts of {name}, against {told}")
    wanted = {cell: replies(reference, bundle, batches, cell) for cell in _CELLS}
    reference.close()
    offered = precisions(job.engine, bundle)
    rescore = None if missing(["torch"]) else eager_rescore(bundle)
    gate = ParityGate(rescore, [precision for precision in offered if precision != "fp32"])
    for precision in offered:
        try:
            with closing(open_engine(job.engine, bundle, job.device, precision)) as backend:
                for cell in _CELLS:
                    found = replies(backend, bundle, batches, cell)
                    yield judged(gate, bundle, batches, precision, cell, wanted[cell], found)
        except EmpganError as error:
            yield Finding({"precision": precision}, f"{precision}: {one_line(error)}")


def replies(
    backend: Backend, bundle: Bundle, batches: Sequence[EncoderInput], cell: Cell
) -> Replies:
    """Return the best replies to some batches, as the gate compares them."""
    engine = Engine(backend, bundle.model.vocabulary_size, {})
    search = search_of(cell, bundle.search)
    return [measure(engine, inputs, search).replies for inputs in batches]


def judged(
    gate: ParityGate,
    bundle: Bundle,
    batches: Sequence[EncoderInput],
    precision: str,
    cell: Cell,
    wanted: Replies,
    found: Replies,
) -> Finding:
    """Return how many replies are equal, a fault if they have to be and are not."""
    search = search_of(cell, bundle.search)
    for item, inputs in enumerate(batches):
        gate.compare(precision, cell, item, inputs, search, wanted[item], found[item])
    verdict = gate.verdict(precision, cell)
    figures: Figures = {
        "precision": precision,
        "beam": cell.beam,
        "contexts": verdict.contexts,
        "equal": verdict.contexts - verdict.ties - verdict.mismatches,
        "ties": verdict.ties,
        "other": verdict.mismatches,
        "share of equal": 1 - verdict.mismatches / verdict.contexts,
    }
    fault = "" if verdict.passed else f"{precision}, beam {cell.beam}: {verdict}"
    return Finding(figures, fault)


def _reference(bundle: Bundle) -> tuple[Backend, str]:
    """Return what computes on the CPU in float32, and what it is called.

    Raises:
        Missing: nothing does.
    """
    said = missing(["onnxruntime"])
    if not said:
        return open_engine("onnxruntime", bundle, "cpu", "fp32"), "ONNX Runtime on the CPU"
    if missing(["torch"]):
        raise Missing(f"nothing computes on the CPU: {said}")
    return open_engine("eager", bundle, "cpu", "fp32"), "eager PyTorch on the CPU"
