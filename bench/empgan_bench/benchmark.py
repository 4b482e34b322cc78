"""One benchmark from bundle to report: workers opened, cells measured, circumstances noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from empgan_rt.bundle import Bundle

from . import fingerprint
from .client import Worker
from .engines import PEERS, REFERENCE, eager_rescore
from .report import EngineRecord, Report, WorkloadRecord
from .suite import Plan, run_suite
from .workload import load_workload


def run_benchmark(
    plan: Plan,
    bundle: str,
    engines: Mapping[str, str],
    workload: Path | None,
    num_threads: int,
    on_progress: Callable[[int, str], None] = lambda done, note: None,
    peers: Mapping[str, str] | None = None,
) -> Report:
    """Return the report of a plan, also where a gate failed.

    Args:
        plan: what to measure.
        bundle: folder or name of a bundle.
        engines: name -> opener, see `engines`.
        workload: a JSONL file, or None for our own dialogues.
        num_threads: threads of each engine.
        on_progress: see `run_suite`.
        peers: name -> the interpreter that has it, see `peers.interpreter`.

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
        workers += [
            stack.enter_context(Worker(name, PEERS[name], bundle, num_threads, python))
            for name, python in (peers or {}).items()
        ]
        outcome = run_suite(plan, workers, contexts, opened.search, rescore, on_progress)
        records = _records(workers)
    return Report(
        bundle=bundle,
        plan=plan,
        workload=WorkloadRecord(contexts.source, contexts.sha256, len(contexts.contexts)),
        engines=records,
        outcome=outcome,
        fingerprint=circumstances,
        load_average_after=fingerprint.load_average(),
    )


def _records(workers: Sequence[Worker]) -> list[EngineRecord]:
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
