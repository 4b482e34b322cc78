"""Every engine meets the same arrivals, in turns, and its replies under load meet the gate.

At each rate the engines are visited in the order A B B A. Both visits of an engine have schedules
of their own, the same for all engines.
"""

from __future__ import annotations

from collections.abc import Sequence

from empgan_rt.config import SearchConfig
from empgan_rt.graph_spec import EncoderInput
from empgan_rt.text.featurizer import encoder_input

from ..batches.suite import search_of
from ..engines.table import APPROXIMATE, REFERENCE, is_remote
from ..measuring.bench import Bench, Progress
from ..measuring.gate import ParityGate
from ..measuring.stats import Summary
from ..measuring.timing import IDLE_LIMIT, Turns, in_order, palindrome
from ..workers.client import Worker
from ..workers.requests import poisson
from .plan import ServedVisit, ServingOutcome, ServingPlan
from .report import ServingReport
from .summary import ServedRow, served_metrics, served_row

_CONTEXTS = 128  # most dialogues; the reference decodes each of them alone first
_LATENESS_LIMIT = 0.05  # share of the median latency


def run_serving_benchmark(
    plan: ServingPlan, bench: Bench, on_progress: Progress = lambda done, note: None
) -> ServingReport:
    """Return the report of a plan; arguments and errors as `run_serving`."""
    outcome = run_serving(plan, bench, on_progress)
    return ServingReport(**bench.circumstances(), plan=plan, outcome=outcome)


def run_serving(
    plan: ServingPlan, bench: Bench, on_progress: Progress = lambda done, note: None
) -> ServingOutcome:
    """Measure every cell of a plan and return the outcome, also where the gate fails.

    Args:
        plan: what to measure.
        bench: open workers, and the dialogues that they are asked for.
        on_progress: called with the number of finished visits and the current cell.

    Raises:
        EmpganError: what an engine raised.
    """
    ordered, workload = in_order(bench.workers), bench.workload
    longest = plan.warmup + max(plan.visit_sizes(cell)[0] for cell in plan.cells())
    drawn = workload.drawn(min(_CONTEXTS, longest), plan.seed)
    inputs = [encoder_input([workload.contexts[place]]) for place in drawn]
    dialogues = [[turn.text for turn in workload.dialogues[place].turns] for place in drawn]
    for server in ordered.values():
        server.host(dialogues, plan.max_batch, plan.max_queue)
    turns = Turns(ordered)
    gate = ParityGate(bench.rescore, {*APPROXIMATE, *filter(is_remote, ordered)})
    has_reference = not all(map(is_remote, ordered))  # else nobody's replies are known
    visits: list[ServedVisit] = []
    wanted: dict[int, list[list[int]]] = {}
    for cell in plan.cells():
        search = search_of(cell, bench.bundle.search)
        if has_reference and cell.beam not in wanted:
            on_progress(len(visits), f"beam {cell.beam}: each dialogue alone")
            with turns.of(next(iter(ordered))) as reference:
                wanted[cell.beam] = _alone(reference, inputs, search)
        for place, name in enumerate(palindrome(list(ordered))):
            on_progress(len(visits), f"{cell}, {name}")
            number = place // len(ordered)
            count = plan.warmup + plan.visit_sizes(cell)[number]
            arrivals = poisson(cell.rate_per_s, count, len(drawn), 2 * plan.seed + number)
            with turns.of(name) as server:
                used_s = server.cpu_s()
                served = server.serve(arrivals, search, plan.deadline_s)
                used_s = server.cpu_s() - used_s
            for request, reply in zip(served.requests, served.replies, strict=True):
                if has_reference and request.outcome == "answered":  # those of the warm-up too
                    item = request.item
                    alone = wanted[cell.beam][item]
                    gate.compare(name, cell, item, inputs[item], search, [alone], [reply])
            head, counted = served.requests[: plan.warmup], served.requests[plan.warmup :]
            visits.append(ServedVisit(name, cell, number, head, counted, used_s))
    on_progress(len(visits), "")
    return _outcome(plan, list(ordered), visits, gate, _idle_warnings(turns))


def _alone(
    reference: Worker, inputs: Sequence[EncoderInput], search: SearchConfig
) -> list[list[int]]:
    """Return the reference's reply to each dialogue, decoded by itself."""
    reference.load(list(inputs))
    samples = reference.run(list(range(len(inputs))), search)
    return [sample.replies[0] for sample in samples]


def _outcome(
    plan: ServingPlan,
    names: Sequence[str],
    visits: Sequence[ServedVisit],
    gate: ParityGate,
    warnings: list[str],
) -> ServingOutcome:
    """Return the statistics of all cells and hold the objectives against them."""
    rows, verdicts, failures = [], [], []
    for cell in plan.cells():
        for name in names:
            own = [visit for visit in visits if (visit.engine, visit.cell) == (name, cell)]
            mine = [visit.requests for visit in own]
            row = served_row(name, cell, mine, plan.goodput, plan.seed, _cpu_ms(own))
            rows.append(row)
            verdict = gate.verdict(name, cell)
            verdicts.append(verdict)
            if not verdict.passed:
                failures.append(f"{name}, {cell}: {verdict}")
            if row.failed:
                error = next(r.error for visit in mine for r in visit if r.outcome == "failed")
                failures.append(f"{name}, {cell}: {row.failed} requests failed, first: {error}")
            if name != REFERENCE:
                missed = [objective.missed(served_metrics(row)) for objective in plan.objectives]
                failures += [f"{name}, {cell}: {text}" for text in missed if text]
    return ServingOutcome(
        rows, verdicts, gate.differences, list(visits), failures, warnings + _late_warnings(rows)
    )


def _cpu_ms(visits: Sequence[ServedVisit]) -> float | None:
    """Return the CPU time of each request of some visits; None if none was seen."""
    count = sum(len(visit.warmup) + len(visit.requests) for visit in visits)
    return sum(visit.cpu_s for visit in visits) / count * 1e3 or None


def _idle_warnings(turns: Turns) -> list[str]:
    return [
        f"while others ran, {name} used {share:.2f} cores"
        for name, wall_s in turns.idle_wall_s.items()
        if wall_s and (share := turns.idle_cpu_s[name] / wall_s) > IDLE_LIMIT
    ]


def _late_warnings(rows: Sequence[ServedRow]) -> list[str]:
    """Return where the generator's own delays are a part of the latencies that matters."""

    def matters(lateness_ms: Summary, e2e_ms: Summary | None) -> bool:
        return e2e_ms is not None and lateness_ms.high > _LATENESS_LIMIT * e2e_ms.p50

    late = [row for row in rows if matters(row.lateness_ms, row.e2e_ms)]
    if not late:
        return []
    worst = max(late, key=lambda row: row.lateness_ms.high)
    return [
        f"the generator sent requests late, which the latencies include: in {len(late)} of "
        f"{len(rows)} rows the 95th percentile (the largest of few) is over {_LATENESS_LIMIT:.0%} "
        "of the median latency "
        f"(worst {worst.lateness_ms.high:.1f} ms, {worst.engine}, {worst.cell})"
    ]
