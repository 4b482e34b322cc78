import pytest

from empgan_bench.measuring.stats import Interval
from empgan_bench.scaling.slope import Slopes, kind_of, round_times, stage_medians
from support.growth_points import make_series


def test_far_from_linear_is_not_enough_if_the_interval_is_wide():
    assert kind_of(Interval(1.1, 0.2, 1.2), 1) == "linear"
    assert kind_of(Interval(1.3, 0.9, 1.8), 1) == "unclear"
    assert kind_of(Interval(1.3, 1.1, 1.8), 1) == "above"
    assert kind_of(Interval(0.4, 0.1, 0.8), 1) == "below"
    assert kind_of(Interval(-0.4, -0.8, -0.1), -1) == "above"


def test_a_round_is_the_mean_of_its_visits_in_total_and_by_stage():
    series = make_series((1.0, 6.0, 2.0), noise=0.5)
    medians = stage_medians(series)
    assert len(round_times(series)) == 12
    assert medians["step"] == pytest.approx(6.0, rel=0.3)
    assert sum(medians.values()) == pytest.approx(9.0, rel=0.3)


def test_departures_add_up_to_that_of_all_stages_and_the_main_cause_comes_first():
    slopes = Slopes({2: make_series((1, 6, 2)), 8: make_series((4, 30, 1))}, 1, 0.0, 0)
    found = slopes.departures(2, 8)
    assert [(d.stage, d.ms) for d in found] == [  # less than linear, so what saves most is first
        ("search", pytest.approx(-7.0)),
        ("encode", pytest.approx(0.0)),
        ("step", pytest.approx(6.0)),
    ]
    assert sum(d.ms for d in found) == pytest.approx(35 - 4 * 9)


@pytest.mark.parametrize("drift", [0.0, 1.0])
def test_drift_widens_the_interval_alone(drift):
    slopes = Slopes({1: make_series((1, 1, 1)), 4: make_series((2, 2, 2))}, 1, drift, 0)
    exponent = slopes.exponent(1, 4)
    wider = 0.5 if drift else 0.0  # log 2 / log 4
    assert exponent.value == pytest.approx(0.5)
    assert exponent.low == pytest.approx(0.5 - wider)
    assert exponent.high == pytest.approx(0.5 + wider)
    assert slopes.kind(1, 4) == ("unclear" if drift else "below")
