"""A serving run from bundle to report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..batches.run import Progress, opened
from .plan import ServingPlan
from .report import ServingReport
from .run import run_serving


def run_serving_benchmark(
    plan: ServingPlan,
    bundle: str,
    engines: Mapping[str, str],
    workload: Path | None,
    num_threads: int,
    on_progress: Progress = lambda done, note: None,
    device: str = "cpu",
) -> ServingReport:
    """Return the report of a plan, also where a gate failed.

    Args:
        plan: what to measure.
        bundle, engines, workload, num_threads: see `benchmark.opened`.
        on_progress: see `run_serving`.
        device: see `opened`.

    Raises:
        EmpganError: the bundle, the workload or an engine failed.
    """
    with opened(bundle, engines, workload, num_threads, device=device) as bench:
        outcome = run_serving(
            plan, bench.workers, bench.workload, bench.bundle.search, bench.rescore, on_progress
        )
        return ServingReport(**bench.circumstances(), plan=plan, outcome=outcome)
