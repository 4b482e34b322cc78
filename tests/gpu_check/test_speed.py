"""The bench's command line, and what becomes of engines that do not open."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from empgan_bench.batches.report import Report
from empgan_bench.engines.table import ENGINES as TABLE
from empgan_bench.measuring import timing
from gpu.report import Outcome
from gpu.sections import SECTIONS
from gpu.speed import DRY_ENGINES, ENGINES, command, measure
from support.bench_reports import make_report

CUDA_ENGINES = (
    *("tensorrt", "tensorrt-fp16", "tensorrt-int8", "onnxruntime", "onnxruntime-fp16"),
    *("eager", "compile", "cuda-graphs", "floor", "floor-fp16"),
)
Answer = tuple[int | None, dict[str, Any]]


class Bench:
    """Stands in for the process of the bench: writes a report, or ends as it is told to.

    Attributes:
        asked: the engines and the batch size of each call.
        answers: how the next calls end; with a report if there are none.
        engines: that are left.
    """

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answers: list[Answer] = []
        self.report: Report = make_report()
        self.engines = [*ENGINES]
        self._folder = folder

    def measure(self, batch: int = 32) -> tuple[Outcome, int | None]:
        return measure(self.engines, batch, self._folder / str(batch), self._run, dry=False)

    def _run(self, given: Sequence[str]) -> tuple[int | None, bytes]:
        options = dict(itertools.pairwise(given))
        self.asked.append((options["--backends"], options["--batch"]))
        status, record = self.answers.pop(0) if self.answers else (0, {})
        if status in (0, 6):
            out = Path(options["--out"])
            out.mkdir(parents=True, exist_ok=True)
            (out / "report.json").write_bytes(msgspec.json.encode(self.report))
        return status, msgspec.json.encode(record)


def failure(status: int, code: str, message: str, hint: str = "") -> Answer:
    return status, {"error": {"code": code, "message": message, "hint": hint}}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
    return Bench(tmp_path)


def test_the_command_line() -> None:
    out = Path("out") / "bench"
    assert command(CUDA_ENGINES, 8, out, dry=False) == [
        *("-m", "empgan_rt", "bench", "latency", "default", "--device", "cuda"),
        "--backends",
        "tensorrt,tensorrt-fp16,tensorrt-int8,onnxruntime,onnxruntime-fp16,eager,compile,"
        "cuda-graphs,floor,floor-fp16",
        *("--batch", "8", "--beam", "1,5", "--min-time", "2", "--out", str(out)),
        "--json",
    ]
    dry = command(DRY_ENGINES, 32, out, dry=True)
    assert dry[3:6] == ["latency", "tiny", "--backends"]
    assert "--device" not in dry


def test_the_engines_and_the_batches() -> None:
    assert ENGINES == CUDA_ENGINES
    assert {*ENGINES} <= TABLE["cuda"].keys()
    assert {*DRY_ENGINES} <= TABLE["cpu"].keys()
    batches = [section.batch for section in SECTIONS if section.batch]
    assert batches == [32, 1, 512, 128, 8]  # in the order of what they are worth


def test_every_engine_has_its_rows(bench: Bench) -> None:
    found, status = bench.measure()
    assert bench.asked == [(",".join(CUDA_ENGINES), "32")]
    assert len(found.figures) == len(bench.report.outcome.rows)
    assert {row["engine"] for row in found.figures} == {"eager", "onnxruntime"}
    eager = next(row for row in found.figures if row["engine"] == "eager")
    ours = next(row for row in found.figures if row["engine"] == "onnxruntime")
    assert eager["times as fast as the reference"] is None
    assert str(ours["times as fast as the reference"]).startswith("1.67×")
    assert isinstance(ours["ms"], float)
    assert (found.status, found.reason, status) == ("passed", "", 0)


def test_an_engine_that_is_not_there_is_left_out_and_named(bench: Bench) -> None:
    bench.answers = [
        failure(3, "provider", "tensorrt: TensorRT did not load it", "another GPU"),
    ]
    found, status = bench.measure()
    assert (found.status, status) == ("passed", 0)
    assert found.reason == "tensorrt: TensorRT did not load it (another GPU)"
    left = ",".join(name for name in CUDA_ENGINES if name != "tensorrt")
    bench.measure(1)
    assert bench.asked[1:] == [(left, "32"), (left, "1")]


def test_an_engine_that_dies_fails_and_the_others_are_measured(bench: Bench) -> None:
    bench.answers = [failure(1, "internal", "the cuda-graphs worker ended with status -11")]
    found, status = bench.measure()
    assert (found.status, status) == ("failed", 0)
    assert found.reason == "the cuda-graphs worker ended with status -11"
    assert len(found.figures) == len(bench.report.outcome.rows)
    left = ",".join(name for name in CUDA_ENGINES if name != "cuda-graphs")
    assert bench.asked[1:] == [(left, "32")]
    found, _ = bench.measure(1)
    assert found.status == "passed"


def test_the_floor_is_not_measured_alone(bench: Bench) -> None:
    engines = [name for name in CUDA_ENGINES if not name.startswith("floor")]
    bench.answers = [failure(3, "dependency", f"{name}: not installed") for name in engines]
    found, status = bench.measure()
    told = [*(f"{name}: not installed" for name in engines), "no engine of the bench is here"]
    assert (found.status, found.reason, status) == ("skipped", "; ".join(told), 0)
    assert len(bench.asked) == len(engines)


@pytest.mark.parametrize(
    ("answer", "wanted", "status"),
    [
        (
            failure(2, "bad_input", "No such option: --device"),
            Outcome("failed", "No such option: --device"),
            0,
        ),
        (failure(3, "provider", "no GPU"), Outcome("failed", "no GPU"), 0),
        (
            failure(3, "dependency", "plotly is not installed", "install it"),
            Outcome("skipped", "plotly is not installed (install it)"),
            0,
        ),
        ((1, {}), Outcome("skipped"), 1),  # the status makes it a failure
        ((None, {}), Outcome("skipped"), None),
    ],
)
def test_an_error_of_nobody_ends_the_section(
    bench: Bench, answer: Answer, wanted: Outcome, status: int | None
) -> None:
    bench.answers = [answer]
    assert bench.measure() == (wanted, status)
    assert bench.engines == [*ENGINES]


def test_a_gate_that_failed_is_a_fault(bench: Bench) -> None:
    bench.report = make_report(reply=(5, 7, 3))
    bench.answers = [(6, {})]
    found, status = bench.measure()
    assert (found.status, status) == ("failed", 0)
    assert found.reason.startswith("onnxruntime, batch 1, beam 1")
    assert found.figures


def test_an_older_report_is_not_taken_for_this_one(bench: Bench, tmp_path: Path) -> None:
    bench.measure()
    bench.answers = [(1, {})]
    bench.measure()
    assert not (tmp_path / "32" / "report.json").exists()
