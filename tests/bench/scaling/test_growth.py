import math

import pytest

from empgan_bench.scaling.growth import growths_of
from empgan_bench.scaling.report import sentence
from empgan_bench.scaling.slope import kind_of
from support.growth_points import make_growth, make_point


def test_a_power_law_has_its_exponent():
    found = make_growth("batch", {n: (n**0.5, 2 * n**0.5, n**0.5) for n in (1, 4, 16)})
    assert [cost.exponent and cost.exponent.value for cost in found.costs] == [
        None,
        pytest.approx(0.5),
        pytest.approx(0.5),
    ]
    (stretch,) = found.stretches
    assert (stretch.kind, stretch.first, stretch.last) == ("below", 1, 16)
    assert stretch.exponent.value == pytest.approx(0.5)
    assert found.bends_at == 1


def test_linear_cost_has_no_bend():
    found = make_growth("beam", {n: (n, 3 * n, n) for n in (1, 2, 5, 10)}, noise=0.02)
    assert [s.kind for s in found.stretches] == ["linear"]
    assert found.bends_at is None


def test_the_bend_is_where_growth_changes_and_its_stage_is_named():
    costs = {n: (n, 4 * n * max(1.0, (n / 32) ** 0.5), n) for n in (8, 16, 32, 64, 128)}
    found = make_growth("batch", costs)
    assert [(s.kind, s.first, s.last) for s in found.stretches] == [
        ("linear", 8, 32),
        ("above", 32, 128),
    ]
    assert found.bends_at == 32
    step, *others = found.stretches[1].departures
    assert step.stage == "step"
    assert step.ms == pytest.approx(4 * 128)  # twice the linear cost
    assert step.exponent == pytest.approx(1.5)
    assert all(other.ms == pytest.approx(0.0) for other in others)


def test_a_stage_that_does_not_grow_is_why_cost_grows_slowly():
    found = make_growth("turns", {n: (n, 30.0, 2.0) for n in (1, 2, 4)})
    (stretch,) = found.stretches
    assert stretch.kind == "below"
    assert [d.stage for d in stretch.departures] == ["step", "search", "encode"]
    assert stretch.departure_ms == pytest.approx((4 + 32) - 4 * 33)
    assert stretch.departures[0].exponent == pytest.approx(0.0)


def test_threads_are_held_against_proportion():
    fine = make_growth("threads", {n: (4 / n, 8 / n, 4 / n) for n in (1, 2, 4)})
    assert [s.kind for s in fine.stretches] == ["linear"]
    poor = make_growth("threads", {n: (4 / n, 8 / n, 4.0) for n in (1, 2, 4)})
    (stretch,) = poor.stretches
    assert stretch.kind == "above"
    assert stretch.departures[0].stage == "search"
    assert stretch.departure_ms == pytest.approx(4.0 - 4.0 / 4)


def test_turns_that_are_not_read_are_in_no_exponent():
    read = {1: 1, 2: 2, 4: 4, 8: 5, 16: 5}
    points = [make_point("turns", n, (m, m, m), read=m) for n, m in read.items()]
    points.append(make_point("turns", 16, (5, 5, 5), read=5, again=True))
    (found,) = growths_of(points, 0)
    assert [(s.first, s.last) for s in found.stretches] == [(1, 4)]
    assert [cost.exponent is None for cost in found.costs] == [True, False, False, True, True]
    assert found.turns_read == 5
    assert "from 8 on it is that of 5 turns" in sentence(found)
    assert "at 16 it is 1.00 times that at 8" in sentence(found)


def test_drift_widens_the_interval_until_growth_is_unclear():
    points = [make_point("batch", n, (n**0.7, n**0.7, n**0.7)) for n in (1, 2, 4)]
    again = make_point("batch", 4, [4**0.7 * 1.05] * 3, again=True)
    (found,) = growths_of([*points, again], 0)
    assert found.drift == pytest.approx(0.05)
    assert [s.kind for s in found.stretches] == ["below"]
    again = make_point("batch", 4, [4**0.7 / 1.6] * 3, again=True)
    (found,) = growths_of([*points, again], 0)
    assert found.drift == pytest.approx(0.6)
    assert found.costs[1].exponent.high == pytest.approx(0.7 + math.log2(1.6))
    assert [s.kind for s in found.stretches] == ["unclear"]


def test_what_is_unclear_between_neighbours_may_be_clear_over_all_of_them():
    costs = {1: 1.0, 2: 1.5, 4: 3.9, 8: 6.0, 16: 16.0}  # about linear
    points = [make_point("batch", n, (ms, ms, ms)) for n, ms in costs.items()]
    points.append(make_point("batch", 16, (28.0, 28.0, 28.0), again=True))
    (found,) = growths_of(points, 0)
    assert kind_of(found.costs[1].exponent, 1) == "unclear"
    assert [(s.kind, s.first, s.last) for s in found.stretches] == [("linear", 1, 16)]


def test_a_stage_without_time_has_no_exponent():
    found = make_growth("batch", {n: (0.0, math.sqrt(n), 0.0) for n in (1, 16)})
    departures = {d.stage: d for d in found.stretches[0].departures}
    assert departures["encode"].exponent is None
    assert departures["step"].exponent == pytest.approx(0.5)
