import pytest

from empgan_bench.measuring.gate import Cell
from empgan_bench.measuring.slo import REQUEST_METRICS, SERVING_METRICS, Objective
from empgan_bench.measuring.stats import MIN_FOR_P99
from empgan_bench.serving.summary import is_good, served_metrics, served_row
from empgan_bench.workers.requests import Piece, RequestEvents

CELL = Cell(32, 5, "natural", 10.0)


def request(due_ms, e2e_ms, outcome="answered", tokens=3, first=0.5):
    answered = outcome == "answered"
    pieces = [Piece(due_ms + first * e2e_ms, 1), Piece(due_ms + e2e_ms, tokens - 1)]
    return RequestEvents(
        item=0,
        scheduled_ms=due_ms,
        sent_ms=due_ms + 1.0,
        encoding_ms=due_ms + 2.0 if answered else None,
        pieces=pieces if answered else [],
        end_ms=due_ms + e2e_ms,
        tokens=tokens if answered else 0,
        outcome=outcome,
    )


def visit(latencies, outcomes=None):
    outcomes = outcomes or ["answered"] * len(latencies)
    pairs = enumerate(zip(latencies, outcomes, strict=True))
    return [request(100.0 * i, ms, outcome) for i, (ms, outcome) in pairs]


def row(*visits, bounds=()):
    return served_row(
        "ours", CELL, visits, [Objective.parse(b, REQUEST_METRICS) for b in bounds], 0
    )


def test_times_are_of_answered_requests_and_outcomes_are_counted():
    found = row(
        visit([40.0, 60.0, 1.0, 1.0, 1.0], ["answered"] * 2 + ["refused", "late", "failed"])
    )
    assert (found.answered, found.refused, found.late, found.failed) == (2, 1, 1, 1)
    assert (found.e2e_ms.n, found.e2e_ms.p50) == (2, 50.0)
    assert (found.ttft_ms.p50, found.queue_ms.p50) == (25.0, 2.0)
    assert found.tpot_ms.p50 == 12.5  # half of 50 ms for two tokens
    assert found.lateness_ms.n == 5
    assert found.one_piece == 0.0


def test_rates_are_over_the_schedule_or_the_last_end():
    prompt = row(visit([10.0] * 10))  # 10 requests at 10/s: 1 s
    assert prompt.requests_per_s == pytest.approx(10.0)
    assert prompt.tokens_per_s == pytest.approx(30.0)
    dragged = row(visit([10.0] * 9 + [1100.0]))  # the last is due at 0.9 s
    assert dragged.requests_per_s == pytest.approx(10 / 2.0)
    assert row(visit([10.0] * 10), visit([10.0] * 10)).requests_per_s == pytest.approx(10.0)


def test_the_clock_starts_where_the_warm_up_ends():
    later = [request(5000.0 + 100.0 * i, 10.0) for i in range(10)]
    assert row(later).requests_per_s == pytest.approx(10.0)


def test_goodput_is_what_was_answered_within_every_bound():
    requests = visit([40.0, 80.0, 400.0, 10.0], ["answered"] * 3 + ["refused"])
    assert row(requests).goodput == 0.75
    found = row(requests, bounds=["e2e_ms<100", "ttft_ms<=40"])
    assert found.goodput == 0.5
    assert found.goodput_per_s == pytest.approx(0.5 * 4 / 0.6)  # the last end comes at 600 ms
    assert row(requests, bounds=["e2e_ms<100", "ttft_ms<30"]).goodput == 0.25


def test_text_that_came_at_once_keeps_a_bound_on_the_time_per_further_token():
    lump = RequestEvents(
        item=0,
        scheduled_ms=0.0,
        sent_ms=0.0,
        pieces=[Piece(9.0, 4)],
        end_ms=9.0,
        tokens=4,
        outcome="answered",
    )
    assert is_good(lump, [Objective.parse("tpot_ms<1", REQUEST_METRICS)])
    assert not is_good(lump, [Objective.parse("ttft_ms<1", REQUEST_METRICS)])
    assert row([lump]).one_piece == 1.0
    assert row([lump]).tpot_ms is None


def test_growing_latency_is_saturation_and_its_slope_is_told():
    behind = visit([20.0 + 50.0 * i for i in range(20)])  # 50 ms more each 100 ms
    found = row(behind, behind)
    assert [slope.value for slope in found.growth] == pytest.approx([0.5, 0.5])
    assert found.saturated


@pytest.mark.parametrize(
    "visits",
    [
        [visit([20.0, 30.0] * 10)] * 2,
        [visit([20.0 + 4.0 * i for i in range(20)])] * 2,  # 0.04 s a second
        [visit([20.0 + 50.0 * i for i in range(20)]), visit([20.0] * 20)],  # once only
        [visit([20.0] * 18 + [900.0] * 1 + [20.0] * 1)] * 2,  # an accident
        [visit([20.0 + 50.0 * i for i in range(9)])] * 2,  # too few to tell
        [visit([20.0] * 20, ["refused"] + ["answered"] * 19)] * 2,
    ],
)
def test_what_is_no_saturation(visits):
    assert not row(*visits).saturated


@pytest.mark.parametrize("outcome", ["refused", "late"])
def test_more_than_one_in_twenty_lost_is_saturation(outcome):
    requests = visit([20.0] * 20, [outcome] * 2 + ["answered"] * 18)
    assert row(requests).saturated
    assert not row(visit([20.0] * 20, ["failed"] * 2 + ["answered"] * 18)).saturated


def test_both_visits_are_shown_apart():
    assert row(visit([10.0] * 4), visit([30.0] * 4)).visits_p50_ms == [10.0, 30.0]


def test_an_objective_may_ask_for_every_metric_it_can_name():
    few, many = row(visit([10.0] * 4)), row(visit([10.0] * MIN_FOR_P99))
    assert set(served_metrics(few)) == set(SERVING_METRICS)
    assert served_metrics(few)["p99_ms"] is None
    assert served_metrics(many)["ttft_p99_ms"] == 5.0
    assert served_metrics(few)["goodput"] == 1.0
    nothing = row(visit([10.0] * 4, ["refused"] * 4))
    assert served_metrics(nothing)["p50_ms"] is None
    assert nothing.e2e_ms is None
