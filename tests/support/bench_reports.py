"""Reports of scripted workers, whose times are known."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from unittest.mock import patch

from empgan_bench.batches.report import Report
from empgan_bench.batches.suite import Kind, Plan, run_suite
from empgan_bench.measuring import stats, text_times, timing
from empgan_bench.measuring.cold_start import ColdSample, ColdStart
from empgan_bench.measuring.fingerprint import EngineRecord, Fingerprint, WorkloadRecord
from empgan_bench.measuring.gpu import Gpu
from empgan_bench.measuring.slo import Objective
from empgan_bench.measuring.stats import summarise
from support.bench_engines import ScriptedWorker, bench_of

FEW_RESAMPLES = 200  # most of the time that a report of scripted workers takes is for intervals
COLD = ((140.0, 200.0, 30.0, 450.0), (150.0, 210.0, 20.0, 470.0), (130.0, 190.0, 25.0, 430.0))


@functools.cache
def make_report(
    kind: Kind = "latency",
    reply: Sequence[int] = (5, 6, 3),
    engines: int = 2,
    command: str = "bench",
    eager_ms: Iterable[float] = itertools.repeat(10.0),
    ours_ms: Iterable[float] = itertools.cycle([8.0, 4.0]),
    threads: int = 2,
) -> Report:
    """Return the report of eager and onnxruntime, or of eager alone, in eight or four cells.

    Whoever asks for the same is given the same report.
    """
    times = {"eager": iter(eager_ms), "onnxruntime": iter(ours_ms)}
    replies = {"eager": [5, 6, 3], "onnxruntime": [*reply]}
    workers = [
        ScriptedWorker(
            name, [], lambda _, name=name: replies[name], lambda _, name=name: next(times[name])
        )
        for name in times
    ]
    return report_of(workers[:engines], kind, command, threads)


def report_of(
    workers: Sequence[ScriptedWorker],
    kind: Kind = "latency",
    command: str = "bench",
    threads: int = 2,
    objectives: Sequence[str] = (),
    device: str = "cpu",
) -> Report:
    """Return the report of some workers."""
    held = tuple(Objective.parse(text) for text in objectives)
    plan = Plan(kind, (1, 8), (1, 5), 1, 0.0, 0, held, device)
    with (
        patch.object(timing, "_SETTLE_S", 0.0),  # a scripted worker has no threads that spin
        patch.object(text_times, "PASSES", 1),  # the only times that a clock measures
        patch.object(stats, "_RESAMPLES", FEW_RESAMPLES),
    ):
        outcome = run_suite(plan, bench_of(workers))
    fingerprint = Fingerprint(
        empgan_rt="0.1.0",
        python="3.11.2",
        system="Linux",
        cpu="A <fast> CPU",
        cpu_features=["avx2"],
        governor="unknown",
        cores_allowed=2,
        cores=4,
        ram_gib=8.0,
        threads=threads,
        packages={"numpy": "2.0"},
        commit=None,
        bundle_id="0123456789abcdef",
        command=[command],
        load_average=0.5,
        gpu=None if device == "cpu" else Gpu("A <fast> GPU", "9.0", 81_559, "580.1", "13.0"),
    )
    samples = [ColdSample(*times) for times in COLD]
    records = [EngineRecord(w.name, {"fake": "1"}, 5.0, 50.0, "enabled", "system") for w in workers]
    return Report(
        bundle="toy",
        plan=plan,
        workload=WorkloadRecord("toy", "0" * 64, 6),
        engines=records,
        outcome=outcome,
        cold_starts=[ColdStart("onnxruntime", *map(summarise, zip(*COLD, strict=True)), samples)]
        if device == "cpu"
        else [],
        fingerprint=fingerprint,
        load_average_after=0.75,
    )
