"""A run of batches, from an open bench to its report."""

from __future__ import annotations

import msgspec

from ..measuring.bench import Bench, Progress
from ..measuring.cold_start import ColdStart, measure_cold_starts
from .report import Report
from .suite import Plan, run_suite


def run_benchmark(
    plan: Plan, bench: Bench, on_progress: Progress = lambda done, note: None
) -> Report:
    """Return the report of a plan, also where a gate failed; arguments and errors as `run_suite`.

    Cold starts are measured first, and on the CPU alone.
    """
    cold_starts: list[ColdStart] = []
    if plan.device == "cpu":
        on_progress(0, "cold start")
        names = [worker.name for worker in bench.workers]
        dialogue, count = bench.workload.dialogues[0], bench.before.threads
        cold_starts = measure_cold_starts(names, bench.source, dialogue, count, plan.seed)
    outcome = run_suite(plan, bench, on_progress)
    if bench.other is not None and bench.other.bundle_id != bench.bundle.bundle_id:
        doubt = f"the other build opened another bundle, {bench.other.bundle_id}"
        outcome = msgspec.structs.replace(outcome, warnings=[doubt, *outcome.warnings])
    return Report(**bench.circumstances(), plan=plan, outcome=outcome, cold_starts=cold_starts)
