import pytest

from empgan_bench.batches.suite import FIXED_TOKENS, Plan, run_suite, search_of
from empgan_bench.measuring import timing
from empgan_bench.measuring.gate import Cell
from empgan_bench.measuring.slo import Objective
from empgan_rt.config import SearchConfig
from support.bench_engines import ScriptedWorker, bench_of

BASE = SearchConfig(beam_size=4, max_length=30, num_hypotheses=3, banned_words=("x",))


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)


def plan_of(kind="latency", objectives=(), batches=(1, 2), beams=(1,)):
    return Plan(kind, batches, beams, 1, 0.0, 0, tuple(Objective.parse(o) for o in objectives))


def run(plan, *workers, rescore=None):
    return run_suite(plan, bench_of(workers, BASE, rescore))


def pair(fast_ms=4.0, **fast):
    return (
        ScriptedWorker("onnxruntime", [], total_ms=lambda item: fast_ms, **fast),
        ScriptedWorker("eager", [], total_ms=lambda item: 10.0),
    )


def test_latency_measures_fixed_and_natural_lengths_throughput_only_natural():
    assert [str(cell) for cell in plan_of(batches=(1,)).cells()] == [
        "batch 1, beam 1, fixed length",
        "batch 1, beam 1, natural length",
    ]
    assert plan_of("throughput", batches=(8,), beams=(1, 5)).cells() == [
        Cell(8, 1, "natural"),
        Cell(8, 5, "natural"),
    ]


def test_fixed_length_pins_both_ends():
    fixed = search_of(Cell(1, 5, "fixed"), BASE)
    assert fixed.min_length == fixed.max_length == FIXED_TOKENS
    assert (fixed.beam_size, fixed.num_hypotheses, fixed.banned_words) == (5, 1, ())
    assert search_of(Cell(1, 5, "natural"), BASE).max_length == 30


def test_ratio_is_reference_over_engine_whatever_the_order():
    for workers in (pair(), pair()[::-1]):
        outcome = run(plan_of(), *workers)
        assert [r.engine for r in outcome.ratios] == ["onnxruntime"] * 4
        assert {r.speedup.value for r in outcome.ratios} == {2.5}
        assert outcome.failures == []


def test_without_eager_the_first_engine_is_the_reference_and_alone_there_is_none():
    one, two = ScriptedWorker("one", []), ScriptedWorker("two", [])
    assert {r.reference for r in run(plan_of(), one, two).ratios} == {"one"}
    assert run(plan_of(), one).ratios == []


def test_other_tokens_fail_however_fast_they_come():
    outcome = run(plan_of(), *pair(fast_ms=1.0, reply=lambda item: [7, 3]))
    assert len(outcome.failures) == 4
    assert all(str(ratio).startswith("FAILED") for ratio in outcome.ratios)
    assert "FAILED" in outcome.failures[0]


def test_a_tie_passes():
    workers = pair(reply=lambda item: [5, 7, 3])
    outcome = run(plan_of(), *workers, rescore=lambda inputs, ids: -1.0)
    assert outcome.failures == []
    assert all(difference.is_tie for difference in outcome.differences)
    assert "ties" in str(outcome.ratios[0].verdict)


def test_objectives_bind_every_cell_of_our_engine_and_not_the_reference():
    assert run(plan_of(objectives=["max_ms<5"]), *pair()).failures == []
    missed = run(plan_of(objectives=["max_ms<3", "ratio>2"]), *pair()).failures
    assert len(missed) == 4
    assert "max_ms<3 missed with 4" in missed[0]


def test_an_objective_on_p99_fails_with_too_few_samples():
    assert "too few samples" in run(plan_of(objectives=["p99_ms<1000"]), *pair()).failures[0]


def test_an_engine_unlike_itself_is_noisy():
    times = iter([10.0] * 9_999)
    drift = iter([10.0, 11.0] * 9_999)
    steady = ScriptedWorker("eager", [], total_ms=lambda item: next(times))
    shaky = ScriptedWorker("onnxruntime", [], total_ms=lambda item: next(drift))
    outcome = run(plan_of(batches=(1,)), steady, shaky)
    assert all(ratio.noisy for ratio in outcome.ratios)
    assert "noisy" in outcome.warnings[0]
    assert "noisy" in str(outcome.ratios[0])


def test_a_worker_that_burns_cpu_while_idle_is_reported():
    workers = (ScriptedWorker("eager", []), ScriptedWorker("onnxruntime", [], idle_cpu_s=1.0))
    assert any("idle workers" in text for text in run(plan_of(), *workers).warnings)
    assert run(plan_of(), *pair()).warnings == []


def test_throughput_counts_dialogues_and_tokens():
    outcome = run(plan_of("throughput", batches=(2,)), *pair())
    row = next(row for row in outcome.rows if row.engine == "onnxruntime")
    assert row.dialogues_per_s.p50 == pytest.approx(2 / 4e-3)
    assert row.tokens_per_s.p50 == pytest.approx(2 * 3 / 4e-3)
    assert row.dialogue_ms == 2.0


def test_progress_names_the_cell_and_ends_full():
    seen = []
    run_suite(plan_of(), bench_of(pair(), BASE), lambda done, note: seen.append(done))
    assert seen[0] == 0
    assert seen[-1] == len(plan_of().cells())
    assert seen == sorted(seen)
