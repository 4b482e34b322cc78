import pytest

from empgan_bench.engines.table import REFERENCE
from empgan_bench.measuring import timing
from empgan_bench.measuring.gate import Cell
from empgan_bench.serving.run import run_serving
from empgan_bench.workers.requests import Arrival
from empgan_rt.config import SearchConfig
from support.bench_engines import ScriptedWorker, bench_of
from support.serving_reports import make_plan

BASE = SearchConfig(beam_size=4, max_length=30, num_hypotheses=3, banned_words=("x",))


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)


def run(plan, *workers, rescore=None, **more):
    return run_serving(plan, bench_of(workers, BASE, rescore), **more)


def pair(calls=None, **ours):
    calls = [] if calls is None else calls
    return ScriptedWorker("onnxruntime", calls, **ours), ScriptedWorker(REFERENCE, calls)


def test_engines_take_turns_at_every_rate_after_the_reference_spoke_alone():
    calls = []
    run(make_plan(rates=(5.0, 10.0), beams=(1, 4)), *pair(calls))
    ours, eager = "onnxruntime", "eager"
    assert calls == ([eager] + [eager, ours, ours, eager] * 2) * 2


def test_all_engines_meet_the_same_arrivals_and_each_visit_its_own():
    ours, eager = pair()
    run(make_plan(rates=(10.0,), requests=7, warmup=2), ours, eager)
    assert ours.schedules == eager.schedules
    first, second = ours.schedules
    assert (len(first), len(second)) == (2 + 4, 2 + 3)
    assert first[0].at_ms != second[0].at_ms
    assert all(isinstance(arrival, Arrival) for arrival in first)
    again, other = pair()[0], pair()[0]
    run(make_plan(rates=(10.0,), requests=7, warmup=2), again)
    run(make_plan(rates=(10.0,), requests=7, warmup=2, seed=1), other)
    assert again.schedules == ours.schedules != other.schedules


def test_by_default_a_rate_is_offered_for_fifteen_seconds():
    plan = make_plan(requests=None)
    assert plan.visit_sizes(Cell(32, 1, "natural", 2.0)) == (30, 30)
    assert plan.visit_sizes(Cell(32, 1, "natural", 10.2)) == (77, 76)


def test_the_search_is_the_bundles_with_the_beam_of_the_cell():
    ours, eager = pair()
    run(make_plan(beams=(4,)), ours, eager)
    assert {(s.beam_size, s.num_hypotheses, s.banned_words) for s in ours.searches} == {(4, 1, ())}
    assert {s.max_length for s in ours.searches} == {30}


def test_the_dialogues_that_are_hosted_are_those_the_gate_decodes():
    ours, eager = pair()
    run(make_plan(requests=6, warmup=1), ours, eager)
    assert len(ours.hosted) == len(eager.batches) == 4
    assert all(
        len(turns) == inputs.utterances.shape[1]
        for turns, inputs in zip(ours.hosted, eager.batches, strict=True)
    )


def test_the_warm_up_is_kept_and_not_counted():
    outcome = run(make_plan(requests=6, warmup=2), *pair())
    assert [(len(v.warmup), len(v.requests)) for v in outcome.visits] == [(2, 3)] * 4
    assert {row.answered for row in outcome.rows} == {6}
    assert outcome.visits[0].warmup[0].scheduled_ms < outcome.visits[0].requests[0].scheduled_ms


def test_rows_tell_what_was_scripted():
    outcome = run(make_plan(rates=(2.0,)), *pair(total_ms=lambda item: 8.0))
    eager, ours = outcome.rows
    assert (ours.engine, ours.e2e_ms.p50, ours.ttft_ms.p50) == ("onnxruntime", 8.0, 4.0)
    assert (eager.engine, eager.e2e_ms.p50, eager.tpot_ms.p50) == ("eager", 10.0, 2.5)
    assert outcome.failures == outcome.warnings == []


def test_other_replies_under_load_fail():
    outcome = run(make_plan(), *pair(reply=lambda item: [7, 3]))
    assert len(outcome.failures) == 1
    assert "FAILED: 4 of 4 replies differ" in outcome.failures[0]
    assert [verdict.passed for verdict in outcome.verdicts] == [True, False]
    assert outcome.differences[0].cell.rate_per_s == 5.0


def test_a_reference_that_says_something_else_in_company_fails_too():
    spoken = iter([[5, 6, 3]] * 4 + [[7, 3]] * 99)
    outcome = run(make_plan(), ScriptedWorker(REFERENCE, [], reply=lambda item: next(spoken)))
    assert "eager, 5 requests/s, beam 1: FAILED" in outcome.failures[0]


def test_ties_pass_and_approximate_engines_are_counted():
    tied = run(make_plan(), *pair(reply=lambda item: [5, 7, 3]), rescore=lambda inputs, ids: -1.0)
    assert tied.failures == []
    assert tied.verdicts[1].ties == 4
    rounded = ScriptedWorker("onnxruntime-int8", [], reply=lambda item: [7, 3])
    outcome = run(make_plan(), rounded, pair()[1])
    assert outcome.failures == []
    assert str(outcome.verdicts[1]) == "0 of 4 equal"


def test_objectives_bind_every_engine_but_the_reference():
    plan = make_plan(objectives=["ttft_max_ms<4.5", "goodput>=1"])
    assert run(plan, *pair(total_ms=lambda item: 8.0)).failures == []
    missed = run(plan, *pair()).failures
    assert missed == ["onnxruntime, 5 requests/s, beam 1: ttft_max_ms<4.5 missed with 5"]
    bounded = make_plan(goodput=["e2e_ms<9"], objectives=["goodput>=1"])
    assert "goodput>=1 missed with 0" in run(bounded, *pair()).failures[0]
    assert "too few samples" in run(make_plan(objectives=["p99_ms<1000"]), *pair()).failures[0]


def test_requests_that_fail_fail_the_run():
    outcome = run(make_plan(), *pair(fails=True))
    assert "8 requests failed, first: it broke" in outcome.failures[0]
    assert outcome.rows[1].goodput == 0.0


def test_a_late_generator_and_idle_workers_at_work_are_reported():
    assert run(make_plan(), *pair(sent_late_ms=0.4)).warnings == []
    warnings = run(make_plan(), *pair(sent_late_ms=0.6)).warnings
    assert "the generator sent requests late" in warnings[0]
    assert "worst 0.6 ms, onnxruntime" in warnings[0]
    busy = run(make_plan(), *pair(idle_cpu_s=5.0)).warnings
    assert "while others ran, onnxruntime used" in busy[0]


def test_progress_counts_visits():
    seen = []
    run(make_plan(rates=(5.0, 10.0)), *pair(), on_progress=lambda done, note: seen.append(done))
    assert seen[0] == 0
    assert seen[-1] == 8
    assert seen == sorted(seen)


URL = "http://127.0.0.1:8000"


def test_a_server_is_asked_after_the_engines_and_its_replies_are_counted():
    calls = []
    ours, eager = pair(calls)
    server = ScriptedWorker(URL, calls, reply=lambda item: [7, 3] if item else [5, 6, 3])
    outcome = run(make_plan(beams=(0,)), server, ours, eager)
    assert calls == [REFERENCE, REFERENCE, ours.name, URL, URL, ours.name, REFERENCE]
    assert str(outcome.verdicts[2]) == "1 of 4 equal"
    assert outcome.failures == []
    assert {s.beam_size for s in server.searches} == {BASE.beam_size}


def test_a_server_alone_is_compared_with_nobody():
    replies = iter([[5, 3], [6, 3]] * 9)
    outcome = run(make_plan(beams=(0,)), ScriptedWorker(URL, [], reply=lambda _: next(replies)))
    assert (str(outcome.verdicts[0]), outcome.failures) == ("not compared", [])
    assert str(outcome.rows[0].cell) == "5 requests/s, own search"
    lost = run(make_plan(), ScriptedWorker(URL, [], fails=True))
    assert lost.failures == [
        f"{URL}, 5 requests/s, beam 1: 8 requests failed, first: it broke",
    ]


def test_cpu_time_is_that_of_the_visits_and_unknown_where_it_is_not_seen():
    plan = make_plan(requests=8, warmup=2)  # two visits of 2 + 4 requests
    (row,) = run(plan, ScriptedWorker(URL, [], idle_cpu_s=0.6)).rows
    assert row.cpu_ms == pytest.approx(2 * 600 / 12)
    (unseen,) = run(plan, ScriptedWorker(URL, [])).rows
    assert unseen.cpu_ms is None
