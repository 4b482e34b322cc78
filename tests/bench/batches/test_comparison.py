"""What a report says beside an older one."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from empgan_bench.batches.comparison import Change, compare, read_report
from empgan_bench.batches.report import Report
from empgan_bench.measuring import timing
from empgan_bench.measuring.gate import Cell
from empgan_bench.measuring.stats import Interval, unpaired_ratio
from empgan_rt.errors import InputError
from support.bench_engines import ScriptedWorker
from support.bench_reports import make_report, report_of


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)


def around(middle: float, seed: int) -> Iterator[float]:
    draw = np.random.default_rng(seed)
    while True:
        yield middle * draw.uniform(0.98, 1.02)


@functools.cache
def report(eager_ms: float = 8.0, ours_ms: float = 4.0, seed: int = 0, **more: int) -> Report:
    return make_report(eager_ms=around(eager_ms, seed), ours_ms=around(ours_ms, seed + 1), **more)


def test_a_machine_that_is_slower_today_is_no_regression() -> None:
    found = compare(report(), report(eager_ms=16.0, ours_ms=8.0, seed=5), 0.05)
    assert len(found.changes) == 8
    assert all(change.relative for change in found.changes)
    assert all(change.slowdown.value == pytest.approx(1.0, abs=0.03) for change in found.changes)
    assert found.regressions == []
    assert found.differs == []


def test_an_engine_that_became_slower_is_one() -> None:
    found = compare(report(), report(ours_ms=4.8, seed=5), 0.05)
    assert all(change.slowdown.value == pytest.approx(1.2, abs=0.03) for change in found.changes)
    assert len(found.regressions) == 8
    assert "onnxruntime, batch 1, beam 1, fixed length: time x 1." in found.regressions[0]
    assert compare(report(), report(ours_ms=4.8, seed=5), 0.5).regressions == []
    assert compare(report(), report(ours_ms=3.0, seed=5), 0.05).regressions == []
    assert found.record()["changes"][0]["regressed"] is True


def test_yardsticks_cannot_regress_and_reports_from_before_them_are_read(tmp_path: Path) -> None:
    times = {"eager": 8.0, "onnxruntime": 4.0, "floor": 2.0, "joeynmt": 20.0}
    old, new = (
        report_of([ScriptedWorker(n, [], total_ms=lambda _, t=t: t) for n, t in each.items()])
        for each in (times, times | {"floor": 9.0, "joeynmt": 90.0})
    )
    assert {change.engine for change in compare(old, new, 0.05).changes} == {"onnxruntime"}
    before = msgspec.to_builtins(old)
    del before["outcome"]["standings"]
    del before["plan"]["device"], before["fingerprint"]["gpu"]
    for row in before["outcome"]["rows"]:
        del row["device_encode_ms"], row["device_step_ms"]
    for series in before["outcome"]["series"]:
        del series["settings"]
    (tmp_path / "report.json").write_bytes(msgspec.json.encode(before))
    assert read_report(tmp_path / "report.json").outcome.standings == []


def test_what_may_be_an_accident_is_no_regression() -> None:
    cell = Cell(1, 1, "natural")
    assert not Change("x", cell, True, Interval(1.2, 0.99, 1.4)).regressed(0.05)
    assert Change("x", cell, True, Interval(1.2, 1.01, 1.4)).regressed(0.05)
    assert not Change("x", cell, True, Interval(1.04, 1.01, 1.1)).regressed(0.05)


def test_without_a_reference_times_are_compared_as_they_are() -> None:
    outcome = report().outcome
    alone = [series for series in outcome.series if series.engine != "eager"]
    old = msgspec.structs.replace(report(), outcome=msgspec.structs.replace(outcome, series=alone))
    found = compare(old, report(eager_ms=99.0, ours_ms=8.0), 0.05)
    assert not any(change.relative for change in found.changes)
    assert found.changes[0].slowdown.value == pytest.approx(2.0, abs=0.05)
    assert "in absolute time" in str(found)


def test_runs_that_measured_other_things_are_refused() -> None:
    for other in (report(threads=1), make_report("throughput")):
        with pytest.raises(InputError, match="the reports differ in"):
            compare(report(), other, 0.05)
    workers = [ScriptedWorker("eager", []), ScriptedWorker("onnxruntime", [])]
    with pytest.raises(InputError, match="differ in device: cpu and cuda"):
        compare(report(), report_of(workers, device="cuda"), 0.05)
    with pytest.raises(InputError, match="no engine and cell in common"):
        compare(report(), report(engines=1), 0.05)


def test_other_circumstances_are_told() -> None:
    new = report()
    fingerprint = msgspec.structs.replace(
        new.fingerprint, cpu="Another", packages={"torch": "2.13"}
    )
    found = compare(report(), msgspec.structs.replace(new, fingerprint=fingerprint), 0.05)
    assert found.differs == [
        "CPU: A <fast> CPU then, Another now",
        "numpy: 2.0 then, absent now",
        "torch: absent then, 2.13 now",
    ]


def test_a_report_is_read_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    made = report()
    path.write_bytes(msgspec.json.encode(made))
    assert read_report(path) == made


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"bundle": 3}'])
def test_what_is_no_report_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "report.json").write_bytes(data)
    with pytest.raises(InputError, match="no report of version"):
        read_report(tmp_path / "report.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_report(tmp_path / "absent.json")


def test_the_interval_of_an_unpaired_ratio_covers_the_truth() -> None:
    draw = np.random.default_rng(0)
    inside = 0
    for seed in range(100):
        found = unpaired_ratio(draw.normal(3, 0.3, 25), draw.normal(2, 0.2, 30), seed)
        inside += found.low <= 1.5 <= found.high
    assert 85 <= inside <= 100
