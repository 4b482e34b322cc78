"""`empgan-rt bench latency`, one batch size at a time, with every engine that opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from empgan_bench.batches.comparison import read_report
from empgan_bench.batches.report import Report
from empgan_bench.reports.files import FILES
from empgan_bench.workers.client import ERRORS
from empgan_rt.errors import DependencyError, EmpganError, GateError, ProviderError
from gpu.needs import one_line
from gpu.report import Figures, Outcome

FLOORS = ("floor", "floor-fp16")  # products alone, to be held against engines
ENGINES = (  # those that may be missing come first
    *("tensorrt", "tensorrt-fp16", "tensorrt-int8", "onnxruntime", "onnxruntime-fp16"),
    *("eager", "compile", "cuda-graphs", *FLOORS),
)
DRY_ENGINES = ("onnxruntime",)
Run = Callable[[Sequence[str]], tuple[int | None, bytes]]
"""From Python's arguments to the status that it ended with, None if stopped, and its stdout."""


def command(engines: Sequence[str], batch: int, out: Path, *, dry: bool) -> list[str]:
    """Return the arguments of one bench; the only place that knows them."""
    bundle, beams, min_time = ("tiny", "1", "0") if dry else ("default", "1,5", "2")
    return [
        *("-m", "empgan_rt", "bench", "latency", bundle),
        *(() if dry else ("--device", "cuda")),  # the CPU is where it computes by default
        *("--backends", ",".join(engines), "--batch", str(batch), "--beam", beams),
        *("--min-time", min_time, "--out", str(out), "--json"),
    ]


def measure(
    engines: list[str], batch: int, out: Path, run: Run, *, dry: bool
) -> tuple[Outcome, int | None]:
    """Return what the bench of a batch size found, and its status, 0 if that tells no more.

    An engine that does not open, or whose worker ends, is taken out of `engines` and named.
    """
    faults, notes = list[str](), list[str]()

    def outcome(figures: Sequence[Figures] = ()) -> Outcome:
        status = "failed" if faults else "passed" if figures else "skipped"
        return Outcome(status, "; ".join([*faults, *notes]), [*figures])

    while {*engines} - {*FLOORS}:
        for name in FILES:
            (out / name).unlink(missing_ok=True)  # of an older run
        status, said = run(command(engines, batch, out, dry=dry))
        if status in (0, GateError.exit_code):
            report = read_report(out / FILES[0])
            faults += report.outcome.failures
            return outcome([*_rows(report)]), 0
        try:
            told = msgspec.json.decode(said)["error"]
        except (msgspec.DecodeError, KeyError):
            return outcome(), status
        error = ERRORS.get(told["code"], EmpganError)(told["message"], hint=told["hint"])
        culprit = _named(error.message, engines)
        lacking = isinstance(error, DependencyError) or (
            culprit is not None and isinstance(error, ProviderError)
        )
        (notes if lacking else faults).append(one_line(error))
        if culprit is None:  # the bench's own packages, or something is wrong with it
            return outcome(), 0
        engines.remove(culprit)
    notes.append("no engine of the bench is here")
    return outcome(), 0


def _named(error: str, engines: Sequence[str]) -> str | None:
    """Return the engine that an error is about; see `client.Worker`."""
    opening = error.split(": ")[0]
    told = [name for name in engines if opening == name or f"the {name} worker" in error]
    return told[0] if told else None


def _rows(report: Report) -> Iterator[Figures]:
    ratios = {(ratio.engine, ratio.cell): str(ratio) for ratio in report.outcome.ratios}
    for row in report.outcome.rows:
        yield {
            "batch": row.cell.batch,
            "beam": row.cell.beam,
            "length": row.cell.mode,
            "engine": row.engine,
            "ms": row.total_ms.p50,
            "dialogues/s": row.dialogues_per_s.p50 if row.tokens_per_s.max else None,
            "times as fast as the reference": ratios.get((row.engine, row.cell)),
            "noise": row.noise,
        }
