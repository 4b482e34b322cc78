"""A run of batches, from bundle to report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..measuring.bench import Progress, opened
from ..measuring.cold_start import ColdStart, measure_cold_starts
from .report import Report
from .suite import Plan, run_suite


def run_benchmark(
    plan: Plan,
    bundle: str,
    engines: Mapping[str, str],
    workload: Path | None,
    num_threads: int,
    on_progress: Progress = lambda done, note: None,
    peers: Mapping[str, str] | None = None,
) -> Report:
    """Return the report of a plan, also where a gate failed; arguments and errors as `opened`."""
    with opened(bundle, engines, workload, num_threads, peers, plan.device) as bench:
        cold_starts: list[ColdStart] = []
        if plan.device == "cpu":
            on_progress(0, "cold start")
            dialogue = bench.workload.dialogues[0]
            cold_starts = measure_cold_starts(engines, bundle, dialogue, num_threads, plan.seed)
        outcome = run_suite(plan, bench, on_progress)
        return Report(**bench.circumstances(), plan=plan, outcome=outcome, cold_starts=cold_starts)
