"""`empgan-rt bench latency` on the GPU, one batch size at a time, with every engine that opens.

Batch sizes come in the order of what they are worth, so that a run that is short of time has the
most telling ones. An engine that does not open is left out, and named.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from empgan_rt.errors import DependencyError, EmpganError, GateError, ProviderError

from ..batches.comparison import read_report
from ..batches.report import Report
from ..measuring.gate import Cell
from ..reports.files import FILES
from ..workers.client import ERRORS
from .engines import NEEDS_ON
from .needs import missing, one_line
from .records import Finding, Job, Missing

_FLOORS = ("floor", "floor-fp16")  # products alone, to be held against engines
ENGINES: Mapping[str, str] = {
    "tensorrt": "tensorrt",
    "tensorrt-fp16": "tensorrt",
    "tensorrt-int8": "tensorrt",
    "onnxruntime": "onnxruntime",
    "onnxruntime-fp16": "onnxruntime",
    "eager": "eager",
    "compile": "eager",
    "cuda-graphs": "eager",
    **dict.fromkeys(_FLOORS, "eager"),
}
"""The bench's name -> the engine whose needs it has; those that may be missing come first."""
DRY_ENGINES: Mapping[str, str] = {"onnxruntime": "onnxruntime"}
BATCHES, DRY_BATCHES = (32, 1, 512, 128, 8), (64,)
_MIN_TIME_S = 2.0
_MARGIN = 1.2  # another batch size may take so much longer than the longest before


def command(
    bundle: str,
    engines: Sequence[str],
    device: str,
    batches: Sequence[int],
    beams: Sequence[int],
    min_time_s: float,
    out: Path,
) -> list[str]:
    """Return the command line of one bench; the only place that knows it."""
    on = [] if device == "cpu" else ["--device", device]  # the CPU is where it computes by default
    return [
        *(sys.executable, "-m", "empgan_rt", "bench", "latency", bundle, *on),
        *("--backends", ",".join(engines)),
        *("--batch", ",".join(map(str, batches)), "--beam", ",".join(map(str, beams))),
        *("--min-time", f"{min_time_s:g}", "--out", str(out), "--json"),
    ]


def benched(job: Job) -> Iterator[Finding]:
    """Yield the times of every engine in every cell, and how they stand to the reference.

    Raises:
        Missing: no engine is here.
    """
    began, longest = time.monotonic(), 0.0
    engines = _present(job)
    if not engines:
        raise Missing("no engine of the bench is here; see the other sections for what is missing")
    batches = list(DRY_BATCHES if job.dry else BATCHES)
    while batches and {*engines} - {*_FLOORS}:
        start = time.monotonic()
        left = job.seconds - (start - began)
        if longest * _MARGIN > left:
            told = ", ".join(map(str, batches))
            yield Finding(note=f"left out for lack of time: batch {told}")
            return
        try:
            report = _bench(job, engines, batches[0])
        except EmpganError as error:
            culprit = _named(error.message, engines)
            if culprit is None:
                raise
            engines.remove(culprit)
            absent = isinstance(error, DependencyError | ProviderError)
            yield Finding(note=one_line(error)) if absent else Finding(fault=one_line(error))
            continue
        yield from _rows(report)
        batches.pop(0)
        longest = max(longest, time.monotonic() - start)


def _present(job: Job) -> list[str]:
    """Return the engines whose needs are met; the bench's own gate judges their replies."""
    names = DRY_ENGINES if job.dry else ENGINES
    unmet = {kind: missing(NEEDS_ON[kind][job.device]) for kind in dict.fromkeys(names.values())}
    return [name for name, kind in names.items() if not unmet[kind]]


def _bench(job: Job, engines: Sequence[str], batch: int) -> Report:
    """Return the report on one batch size, also where a gate failed.

    Raises:
        EmpganError: there is none; of the class that the bench ended with.
    """
    out = Path(job.out) / "bench" / f"batch-{batch}"
    for name in FILES:
        (out / name).unlink(missing_ok=True)  # of an older run
    bundle, beams, min_time_s = ("tiny", (1,), 0.0) if job.dry else ("default", (1, 5), _MIN_TIME_S)
    wanted = command(bundle, engines, job.device, (batch,), beams, min_time_s, out)
    done = subprocess.run(wanted, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    if done.returncode in (0, GateError.exit_code):
        return read_report(out / FILES[0])
    try:
        error: dict[str, Any] = msgspec.json.decode(done.stdout)["error"]
    except (msgspec.DecodeError, KeyError):
        raise EmpganError(f"the bench ended with status {done.returncode}") from None
    raise ERRORS.get(error["code"], EmpganError)(error["message"], hint=error["hint"])


def _named(message: str, engines: Sequence[str]) -> str | None:
    """Return the engine that an error is about; see `client.Worker`."""
    opening = message.split(": ")[0]
    told = [name for name in engines if opening == name or f"the {name} worker" in message]
    return told[0] if told else None


def _rows(report: Report) -> Iterator[Finding]:
    """Yield a row for each engine and cell, and what failed."""
    ratios: dict[tuple[str, Cell], str] = {
        (ratio.engine, ratio.cell): str(ratio) for ratio in report.outcome.ratios
    }
    for row in report.outcome.rows:
        yield Finding(
            {
                "batch": row.cell.batch,
                "beam": row.cell.beam,
                "length": row.cell.mode,
                "engine": row.engine,
                "ms": row.total_ms.p50,
                "dialogues/s": row.dialogues_per_s.p50 if row.tokens_per_s.max else None,
                "times as fast as the reference": ratios.get((row.engine, row.cell)),
                "noise": row.noise,
            }
        )
    for failure in report.outcome.failures:
        yield Finding(fault=failure)
