"""Plans and reports of what scripted workers served."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from empgan_bench.measuring.fingerprint import WorkloadRecord
from empgan_bench.measuring.slo import REQUEST_METRICS, SERVING_METRICS, Objective
from empgan_bench.serving.plan import ServingPlan
from empgan_bench.serving.report import ServingReport
from empgan_bench.serving.run import run_serving
from support.bench_engines import ScriptedWorker, bench_of
from support.bench_reports import make_report


def make_plan(
    rates: Sequence[float] = (5.0,),
    beams: Sequence[int] = (1,),
    requests: int | None = 8,
    warmup: int = 0,
    goodput: Sequence[str] = (),
    objectives: Sequence[str] = (),
    seed: int = 0,
) -> ServingPlan:
    return ServingPlan(
        rates_per_s=tuple(rates),
        beams=tuple(beams),
        requests=requests,
        warmup=warmup,
        max_batch=32,
        max_queue=256,
        deadline_s=None,
        seed=seed,
        goodput=tuple(Objective.parse(text, REQUEST_METRICS) for text in goodput),
        objectives=tuple(Objective.parse(text, SERVING_METRICS) for text in objectives),
    )


def make_serving_report(
    plan: ServingPlan,
    reply: Sequence[int] = (5, 6, 3),
    total_ms: Callable[[int], float] = lambda item: 10.0,
    command: str = "bench",
) -> ServingReport:
    """Return the report of eager and onnxruntime, whose times and replies are given."""
    like = make_report(command=command)
    workers = [
        ScriptedWorker("onnxruntime", [], reply=lambda item: [*reply], total_ms=total_ms),
        ScriptedWorker("eager", []),
    ]
    return ServingReport(
        bundle=like.bundle,
        plan=plan,
        workload=WorkloadRecord("toy", "0" * 64, 6),
        engines=like.engines,
        outcome=run_serving(plan, bench_of(workers)),
        fingerprint=like.fingerprint,
        load_average_after=like.load_average_after,
    )
