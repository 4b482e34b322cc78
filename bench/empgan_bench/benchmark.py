"""One benchmark from bundle to report: workers opened, cells measured, circumstances noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from empgan_rt.bundle import Bundle
from empgan_rt.config import SearchConfig

from . import fingerprint
from .client import Worker
from .engines import REFERENCE, eager_rescore
from .gate import Rescore
from .report import Circumstances, EngineRecord, Report, WorkloadRecord
from .suite import Plan, run_suite
from .workload import Workload, load_workload

Progress = Callable[[int, str], None]
AnyPlan = TypeVar("AnyPlan")
AnyReport = TypeVar("AnyReport", bound=Circumstances)


def run_benchmark(
    plan: Plan,
    bundle: str,
    engines: Mapping[str, str],
    workload: Path | None,
    num_threads: int,
    on_progress: Progress = lambda done, note: None,
) -> Report:
    """Return the report of a plan, also where a gate failed; arguments as `run_any`.

    Raises:
        EmpganError: the bundle, the workload or an engine failed.
    """
    return run_any(run_suite, Report, plan, bundle, engines, workload, num_threads, on_progress)


def run_any(
    suite: Callable[
        [AnyPlan, Sequence[Worker], Workload, SearchConfig, Rescore | None, Progress], object
    ],
    report: Callable[..., AnyReport],
    plan: AnyPlan,
    bundle: str,
    engines: Mapping[str, str],
    workload: Path | None,
    num_threads: int,
    on_progress: Progress,
) -> AnyReport:
    """Return the report of any kind of plan, also where a gate failed.

    Args:
        suite: measures a plan; see `run_suite`.
        report: its class; see `Report`.
        plan: what to measure.
        bundle: folder or name of a bundle.
        engines: name -> opener, see `engines`.
        workload: a JSONL file, or None for our own dialogues.
        num_threads: threads of each engine.
        on_progress: see `run_suite`.

    Raises:
        EmpganError: the bundle, the workload or an engine failed.
    """
    opened = Bundle.open(bundle)
    contexts = load_workload(workload, opened.featurizer())
    circumstances = fingerprint.take(opened.bundle_id, num_threads)
    rescore = eager_rescore(opened) if REFERENCE in engines else None
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(name, opener, bundle, num_threads))
            for name, opener in engines.items()
        ]
        outcome = suite(plan, workers, contexts, opened.search, rescore, on_progress)
        records = engine_records(workers)
    return report(
        bundle=bundle,
        plan=plan,
        workload=WorkloadRecord(contexts.source, contexts.sha256, len(contexts.contexts)),
        engines=records,
        outcome=outcome,
        fingerprint=circumstances,
        load_average_after=fingerprint.load_average(),
    )


def engine_records(workers: Sequence[Worker]) -> list[EngineRecord]:
    """Return what is noted of some workers, their memory as it is now."""
    return [
        EngineRecord(
            name=worker.name,
            versions=worker.opened.versions,
            load_ms=worker.opened.load_ms,
            rss_mib=worker.rss_mib(),
            gc=worker.opened.gc,
            allocator=worker.opened.allocator,
        )
        for worker in workers
    ]
