"""What samples come to, and real processes of the toy bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from empgan_bench.cli import commands
from empgan_bench.engines.table import ENGINES
from empgan_bench.measuring.fingerprint import OtherBuild
from empgan_bench.measuring.slo import Objective
from empgan_bench.memory import run, usage
from empgan_bench.memory.page import brief, headline, render_markdown, render_page
from empgan_bench.memory.run import MemoryOutcome, MemoryPlan, MemoryReport, outcome_of
from empgan_bench.memory.usage import METRICS, PHASES, Usage
from empgan_bench.reports.files import FILES
from empgan_rt.errors import DependencyError, EmpganError, GateError, InputError
from support.bench_reports import make_report
from support.other_builds import older_build

SMALL = ("--batch", "4", "--replies", "20", "--runs", "1", "--beam", "2", "--threads", "1")
PLAN = MemoryPlan(batch=32, beam=5, replies=200, runs=3, seed=0)


def usages(first: float) -> list[Usage]:
    """Return what a process holds after each phase: 10 MiB more each time."""
    return [
        Usage(first + 10.0 * place, first / 2, first / 4, first + 100.0)
        for place in range(len(PHASES))
    ]


def outcome(
    *objectives: str, spread: float = 1.0, other: Mapping[str, float] | None = None
) -> MemoryOutcome:
    samples = {
        "onnxruntime": [usages(100.0), usages(100.0 + spread), usages(100.0)],
        "eager": [usages(400.0)],
    }
    samples |= {name: [usages(first)] for name, first in (other or {}).items()}
    held = tuple(Objective.parse(text, METRICS) for text in objectives)
    return outcome_of(msgspec.structs.replace(PLAN, objectives=held), samples)


def report(command: str = "bench") -> MemoryReport:
    like = make_report(command=command)
    return MemoryReport(
        bundle="toy",
        workload=like.workload,
        engines=like.engines,
        fingerprint=like.fingerprint,
        load_average_after=0.5,
        plan=PLAN,
        outcome=outcome(),
    )


def test_rows_are_medians_of_processes_with_their_spread() -> None:
    rows = outcome().rows
    assert [(row.engine, row.phase) for row in rows[:5]] == [("onnxruntime", p) for p in PHASES]
    assert (rows[1].usage.rss_mib, rows[1].spread_mib) == (110.0, 1.0)
    assert [sample.rss_mib for sample in rows[1].samples] == [110.0, 111.0, 110.0]
    assert len(rows) == 10


def test_objectives_bind_every_engine_but_the_reference() -> None:
    assert outcome("loaded_rss_mib<=110", "later_peak_mib<201").failures == []
    (missed,) = outcome("loaded_rss_mib<110").failures
    assert missed == "onnxruntime: loaded_rss_mib<110 missed with 110"


def test_objectives_do_not_bind_another_build() -> None:
    other = {"onnxruntime@other": 200.0}
    (missed,) = outcome("loaded_rss_mib<110", other=other).failures
    assert missed.startswith("onnxruntime: ")


def test_processes_that_differ_are_a_doubt() -> None:
    assert outcome().warnings == []
    assert (
        "differ by up to 9.0 MiB (onnxruntime, interpreter and imports)"
        in outcome(spread=9.0).warnings[0]
    )


def test_the_report_says_it_for_people_and_for_programs(tmp_path: Path) -> None:
    made = report("<script>alert(1)</script>")
    assert headline(made).splitlines()[1] == (
        "eager: interpreter and imports 400.0, model loaded 410.0, first reply 420.0, batch of 32 "
        "430.0, after 200 more replies 440.0 MiB, peak 500.0"
    )
    table = render_markdown(made).splitlines()
    assert table[2] == "| engine | phase | RSS | PSS | private | peak | spread |"
    assert "| onnxruntime | model loaded | 110.0 | 50.0 | 25.0 | 200.0 | 1.0 |" in table
    page = render_page(made)
    assert "default-src 'none'" in page
    assert "<script>alert(1)" not in page
    assert page.count("Plotly.newPlot(", page.index("</head>")) == len(PHASES)
    told = brief(made, tmp_path)["rows"][1]
    assert (told["engine"], told["phase"], told["rss_mib"]) == ("onnxruntime", "loaded", 110.0)
    assert msgspec.json.decode(msgspec.json.encode(made), type=MemoryReport) == made


def test_the_report_says_what_share_of_another_build_an_engine_holds() -> None:
    other = OtherBuild("python", "0.0.9", None, "id", {"onnxruntime@other": "opener"})
    found = outcome(other={"onnxruntime@other": 200.0})
    made = msgspec.structs.replace(report(), outcome=found, other_build=other)
    assert "peak 200.0; 0.58 of the other build's RSS at the end" in headline(made)  # 140 of 240
    table = render_markdown(made).splitlines()
    assert table[2].endswith("| spread | of the other build |")
    held = {line.split(" | ")[0]: line for line in table if " model loaded " in line}
    assert held["| onnxruntime"].endswith("| 0.52 |")
    assert held["| eager"].endswith("| – |")
    assert "installed in another interpreter" in render_markdown(made)


@pytest.fixture
def asked(toy_folder: Path, tmp_path: Path) -> tuple[str, ...]:
    """The arguments of a small run over real processes of the toy bundle."""
    work = tmp_path / "work.jsonl"
    work.write_text('{"turns": ["I am happy.", "we"]}\n{"turns": ["the day"]}\n')
    return (
        "memory",
        str(toy_folder),
        *SMALL,
        "--workload",
        str(work),
        "--out",
        str(tmp_path / "o"),
    )


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(commands.bench, arguments)
    if isinstance(result.exception, EmpganError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_fresh_processes_are_looked_at_after_every_phase(
    asked: tuple[str, ...], tmp_path: Path
) -> None:
    shown = json.loads(invoke(*asked, "--backends", "onnxruntime", "--json"))
    assert shown["passed"]
    assert [row["phase"] for row in shown["rows"]] == [*PHASES]
    started, loaded, *later = shown["rows"]
    assert 20 < started["rss_mib"] + 5 < loaded["rss_mib"] <= loaded["peak_mib"]
    assert all(row["private_mib"] < row["rss_mib"] for row in shown["rows"])
    assert [row["peak_mib"] for row in later] == sorted(row["peak_mib"] for row in later)
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == sorted(FILES)
    saved = json.loads((tmp_path / "o" / "report.json").read_text())
    assert "onnxruntime" in saved["engines"][0]["versions"]
    with pytest.raises(InputError, match="is a report of `bench memory`"):
        invoke("compare", *[str(tmp_path / "o" / "report.json")] * 2)


def test_another_build_is_looked_at_in_the_same_run(asked: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "older").mkdir()
    python = older_build(tmp_path / "older")
    shown = json.loads(invoke(*asked, "--backends", "onnxruntime", "--against", python, "--json"))
    engines = ["onnxruntime", "onnxruntime@other"]
    assert [row["engine"] for row in shown["rows"]] == [e for e in engines for _ in PHASES]
    saved = json.loads((tmp_path / "o" / "report.json").read_text())
    assert saved["other_build"]["python"] == python
    versions = {engine["name"]: engine["versions"] for engine in saved["engines"]}
    assert versions["onnxruntime@other"] == {"copied": "1"}
    assert "onnxruntime" in versions["onnxruntime"]


def test_a_missed_objective_ends_with_a_gate_error(asked: tuple[str, ...]) -> None:
    with pytest.raises(GateError, match="onnxruntime: loaded_rss_mib<1 missed"):
        invoke(*asked, "--backends", "onnxruntime", "--slo", "loaded_rss_mib<1")


def test_what_cannot_be_measured_is_refused_before_anything_starts(
    asked: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run, "Worker", None)
    with pytest.raises(InputError, match="floor writes no replies"):
        invoke(*asked, "--backends", "onnxruntime,floor")
    with pytest.raises(InputError, match="objective 'p99_ms<50'"):
        invoke(*asked, "--slo", "p99_ms<50")
    monkeypatch.setattr(usage.sys, "platform", "win32")
    with pytest.raises(DependencyError, match="win32 has not"):
        invoke(*asked)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("precision", ["", "-int8", "-fp16"])
def test_all_our_precisions_are_engines(precision: str) -> None:
    assert f"onnxruntime{precision}" in ENGINES["cpu"]
