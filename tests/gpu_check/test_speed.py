"""The bench's command line, and what becomes of engines that do not open."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from empgan_bench.batches.report import Report
from empgan_bench.gpu_check import latency
from empgan_bench.gpu_check.latency import benched, command
from empgan_bench.gpu_check.records import Finding, Missing
from empgan_bench.measuring import timing
from empgan_rt.errors import EmpganError
from support.bench_reports import make_report
from support.gpu_sections import MakeJob

CUDA_ENGINES = (
    *("tensorrt", "tensorrt-fp16", "tensorrt-int8", "onnxruntime", "onnxruntime-fp16"),
    *("eager", "compile", "cuda-graphs", "floor", "floor-fp16"),
)
Answer = tuple[int, dict[str, Any]]


class Bench:
    """Stands in for the process of the bench: writes a report, or ends as it is told to.

    Attributes:
        asked: the engines and the batch sizes of each call.
    """

    def __init__(self, report: Report) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answers: list[Answer] = []
        self.report = report

    def run(self, given: Sequence[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        options = dict(itertools.pairwise(given))
        self.asked.append((options["--backends"], options["--batch"]))
        status, record = self.answers.pop(0) if self.answers else (0, {})
        if status in (0, 6):
            out = Path(options["--out"])
            out.mkdir(parents=True, exist_ok=True)
            (out / "report.json").write_bytes(msgspec.json.encode(self.report))
        return subprocess.CompletedProcess(given, status, msgspec.json.encode(record))


def failure(status: int, code: str, message: str, hint: str = "") -> Answer:
    return status, {"error": {"code": code, "message": message, "hint": hint}}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
    found = Bench(make_report())
    monkeypatch.setattr(latency.subprocess, "run", found.run)
    monkeypatch.setattr(latency, "missing", lambda needs: "")
    return found


@pytest.fixture
def findings(job: MakeJob) -> Callable[..., list[Finding]]:
    return lambda **fields: [*benched(job(**({"device": "cuda"} | fields)))]


def test_the_command_line() -> None:
    out = Path("out") / "bench"
    found = command("default", CUDA_ENGINES, "cuda", (1, 8, 32, 128, 512), (1, 5), 2.0, out)
    assert found == [
        *(sys.executable, "-m", "empgan_rt", "bench", "latency", "default", "--device", "cuda"),
        "--backends",
        "tensorrt,tensorrt-fp16,tensorrt-int8,onnxruntime,onnxruntime-fp16,eager,compile,"
        "cuda-graphs,floor,floor-fp16",
        *("--batch", "1,8,32,128,512", "--beam", "1,5", "--min-time", "2", "--out", str(out)),
        "--json",
    ]
    assert "--device" not in command("tiny", ("eager",), "cpu", (1,), (1,), 0.0, out)


def test_the_engines() -> None:
    assert tuple(latency.ENGINES) == CUDA_ENGINES
    assert sorted(latency.BATCHES) == [1, 8, 32, 128, 512]


def test_every_batch_size_has_its_rows(
    bench: Bench, findings: Callable[..., list[Finding]]
) -> None:
    found = findings()
    assert bench.asked == [(",".join(CUDA_ENGINES), str(batch)) for batch in latency.BATCHES]
    rows = [f.figures for f in found[: len(bench.report.outcome.rows)]]
    assert {row["engine"] for row in rows} == {"eager", "onnxruntime"}
    eager = next(row for row in rows if row["engine"] == "eager")
    ours = next(row for row in rows if row["engine"] == "onnxruntime")
    assert eager["times as fast as the reference"] is None
    assert str(ours["times as fast as the reference"]).startswith("1.67×")
    assert isinstance(ours["ms"], float)
    assert [f.fault for f in found] == [""] * len(found)


def test_an_engine_that_is_not_there_is_left_out_and_named(
    bench: Bench, findings: Callable[..., list[Finding]]
) -> None:
    bench.answers = [
        failure(3, "provider", "tensorrt: TensorRT did not load it", "another GPU"),
        failure(1, "internal", "the cuda-graphs worker ended with status -11"),
    ]
    found = findings()
    assert found[0].note == "tensorrt: TensorRT did not load it (another GPU)"
    assert found[1].fault == "the cuda-graphs worker ended with status -11"
    assert [f.fault for f in found[2:]] == [""] * len(found[2:])
    left = [name for name in CUDA_ENGINES if name not in ("tensorrt", "cuda-graphs")]
    assert [batch for _, batch in bench.asked] == ["32", "32", "32", "1", "512", "128", "8"]
    assert bench.asked[2:] == [(",".join(left), batch) for _, batch in bench.asked[2:]]


def test_the_floor_is_not_measured_alone(
    bench: Bench, findings: Callable[..., list[Finding]]
) -> None:
    engines = [name for name in CUDA_ENGINES if not name.startswith("floor")]
    bench.answers = [failure(3, "dependency", f"{name}: not installed") for name in engines]
    assert [f.note for f in findings()] == [f"{name}: not installed" for name in engines]
    assert len(bench.asked) == len(engines)


def test_an_error_of_nobody_ends_the_section(
    bench: Bench, findings: Callable[..., list[Finding]]
) -> None:
    bench.answers = [failure(2, "bad_input", "No such option: --device")]
    with pytest.raises(EmpganError, match="No such option: --device"):
        findings()
    bench.answers = [(1, {})]
    with pytest.raises(EmpganError, match="the bench ended with status 1"):
        findings()


def test_a_gate_that_failed_is_a_fault(
    bench: Bench, findings: Callable[..., list[Finding]]
) -> None:
    bench.report = make_report(reply=(5, 7, 3))
    bench.answers = [(6, {})]
    faults = {f.fault for f in findings() if f.fault}
    assert any(fault.startswith("onnxruntime, batch 1, beam 1") for fault in faults)


def test_batch_sizes_that_no_longer_fit_are_left_out_by_name(
    bench: Bench, findings: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, *(t for n in range(5) for t in (20.0 * n, 20.0 * n + 20.0))])
    monkeypatch.setattr(latency.time, "monotonic", lambda: next(now))
    found = findings(seconds=62.0)
    assert [batch for _, batch in bench.asked] == ["32", "1"]
    assert found[-1].note == "left out for lack of time: batch 512, 128, 8"


def test_without_any_engine_there_is_nothing_to_measure(
    findings: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "missing", lambda needs: "not here")
    with pytest.raises(Missing, match="no engine of the bench is here"):
        findings()
