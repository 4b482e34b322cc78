"""What a run is expected to take: the visits it will make, and what became of them."""

from __future__ import annotations

import pytest

from empgan_bench.batches.forecast import Expected, Forecast, Remaining, about, expect
from empgan_bench.batches.suite import Plan, run_suite
from empgan_bench.measuring import stats, text_times, timing
from empgan_bench.measuring.gate import Cell
from support.bench_engines import ScriptedWorker, bench_of
from support.bench_reports import FEW_RESAMPLES


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
    monkeypatch.setattr(text_times, "PASSES", 1)  # neither text nor intervals are forecast
    monkeypatch.setattr(stats, "_RESAMPLES", FEW_RESAMPLES)


class Growing(ScriptedWorker):
    """Takes `base` ms for a batch and `each` ms more for each of its rows."""

    def __init__(self, name, base, each):
        super().__init__(name, [], total_ms=lambda item: base + each * self._rows(item))

    def _rows(self, item):
        return len(self.batches[item].emotion_labels) * self.searches[-1].beam_size


def plan_of(kind="latency", batches=(1, 2, 8), beams=(1, 5), warmup=1, min_time_s=1.0):
    return Plan(kind, batches, beams, warmup, min_time_s, 0)


@pytest.mark.parametrize("kind", ["latency", "throughput"])
@pytest.mark.parametrize("min_time_s", [0.0, 1.0, 7.7])
@pytest.mark.parametrize("batches", [(1, 2, 8), (4,)])
def test_what_is_expected_is_what_is_decoded(kind, min_time_s, batches, monkeypatch):
    monkeypatch.setattr(timing.time, "perf_counter", lambda: 0.0)  # a visit adds nothing
    plan = plan_of(kind, batches, min_time_s=min_time_s)
    bench = bench_of([Growing("onnxruntime", 2.0, 1.0), Growing("eager", 5.0, 2.0)])
    forecast = expect(plan, bench)
    outcome = run_suite(plan, bench)
    taken = {
        (series.engine, series.cell): sum(t.total_ms for t in series.warmup)
        + sum(visit.total_ms for visit in series.visits)
        for series in outcome.series
    }
    found = {
        (name, expected.cell): seconds * 1e3
        for expected in forecast.cells
        for name, seconds in expected.engines_s.items()
    }
    assert found == pytest.approx(taken)


@pytest.mark.parametrize("kind", ["latency", "throughput"])
def test_what_each_visit_adds_is_expected_too(kind, monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now_s[0])

    class Slow(Growing):
        def run(self, items, search):
            samples = super().run(items, search)
            now_s[0] += 0.5 + sum(sample.timing.total_ms for sample in samples) / 1e3
            return samples

    plan = plan_of(kind, min_time_s=7.7)
    bench = bench_of([Slow("onnxruntime", 2.0, 1.0), Slow("eager", 5.0, 2.0)])
    expected_s = sum(expected.total_s for expected in expect(plan, bench).cells)
    begun_s = now_s[0]
    run_suite(plan, bench)
    assert expected_s == pytest.approx(now_s[0] - begun_s)


def test_engines_are_tried_on_the_smallest_and_the_largest_cell_alone():
    workers = [ScriptedWorker("onnxruntime", []), ScriptedWorker("eager", [])]
    expect(plan_of(), bench_of(workers))
    assert [search.beam_size for search in workers[0].searches] == [1, 1, 5, 5]
    expect(plan_of(batches=(4,), beams=(2,)), bench_of(workers))
    assert [search.beam_size for search in workers[0].searches[4:]] == [2, 2]


def test_yardsticks_are_not_tried_and_count_as_the_slowest_engine():
    workers = [
        ScriptedWorker("onnxruntime", [], total_ms=lambda item: 2.0),
        ScriptedWorker("eager", [], total_ms=lambda item: 8.0),
        ScriptedWorker("joeynmt", []),
        ScriptedWorker("floor", []),
    ]
    forecast = expect(plan_of(batches=(2,), beams=(1,)), bench_of(workers))
    assert workers[2].calls == workers[3].calls == []
    fixed, natural = forecast.cells
    assert fixed.engines_s["joeynmt"] == fixed.engines_s["floor"] == fixed.engines_s["eager"]
    assert "joeynmt" not in natural.engines_s


def test_cold_starts_come_before_the_first_cell_on_the_cpu_alone():
    ours = ScriptedWorker("onnxruntime", [])
    assert expect(plan_of(), bench_of([ours])).before_s == 8.0
    on_gpu = Plan("latency", (1,), (1,), 1, 0.0, 0, (), "cuda")
    assert expect(on_gpu, bench_of([ours])).before_s == 0.0
    assert expect(plan_of(), bench_of([ScriptedWorker("eager", [])])).before_s == 0.0


def forecast_of(*seconds, before_s=0.0):
    cells = [
        Expected(Cell(batch, 5, "fixed"), {"onnxruntime": s / 4, "eager": 3 * s / 4})
        for batch, s in enumerate(seconds, start=1)
    ]
    return Forecast(cells, before_s)


def test_a_forecast_names_engines_and_the_longest_cell():
    assert str(forecast_of(100, 500, 200, before_s=16)) == (
        "about 14 min for 3 cells (cold starts 16 s, onnxruntime 3 min, eager 10 min); "
        "the longest takes 8 min: batch 2, beam 5, fixed length"
    )
    assert str(forecast_of(40)) == "about 40 s for one cell (onnxruntime 10 s, eager 30 s)"
    assert about(5400) == "1.5 h"


def test_what_is_left_is_corrected_by_what_was_taken():
    told, now = [], [0.0]
    left = Remaining(
        forecast_of(10, 20, 30, before_s=2), lambda *word: told.append(word), lambda: now[0]
    )

    def at(seconds, done):
        now[0] = seconds
        left.update(done, "note")
        assert told[-1][:2] == (done, "note")
        return told[-1][2]

    assert at(0, 0) == 62
    assert at(6, 0) == 56
    assert at(24, 0) == 124 - 24  # twice as long as expected, at least
    assert at(24, 1) == 100  # 50 were expected, and all takes twice as long
    assert at(34, 1) == 90
    assert at(44, 2) == pytest.approx(30 * 44 / 32)  # the second cell took no longer
    assert at(500, 2) == 0
    assert at(501, 3) == 0
