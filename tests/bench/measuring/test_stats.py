import numpy as np
import pytest

from empgan_bench.measuring.stats import (
    MIN_FOR_P95,
    MIN_FOR_P99,
    median_interval,
    paired_ratio,
    repeat_noise,
    summarise,
    trend,
)


def test_percentiles_of_one_to_a_hundred_and_one():
    summary = summarise([float(v) for v in range(101, 0, -1)])
    assert (summary.n, summary.p50, summary.p90, summary.p95, summary.max) == (101, 51, 91, 96, 101)


def test_percentiles_are_interpolated():
    assert summarise([10.0, 20.0]).p50 == 15.0
    assert summarise([10.0, 20.0]).p90 == pytest.approx(19.0)


def test_p95_is_withheld_until_there_are_twenty_samples():
    values = [float(v) for v in range(MIN_FOR_P95)]
    few = summarise(values[:-1])
    assert (few.p95, few.high) == (None, 18.0)
    assert summarise(values).p95 == summarise(values).high == pytest.approx(18.05)


def test_p99_is_withheld_until_there_are_a_thousand_samples():
    values = [float(v) for v in range(MIN_FOR_P99)]
    assert summarise(values[:-1]).p99 is None
    assert summarise(values).p99 == pytest.approx(989.01)


def test_one_value_is_its_own_interval():
    found = median_interval([3.0])
    assert (found.value, found.low, found.high) == (3.0, 3.0, 3.0)


def test_interval_of_three_values_holds_them_all():
    # A resample of 3 has median 1 (or 9) with probability 7/27: far more than 2.5 %.
    found = median_interval([1.0, 5.0, 9.0])
    assert (found.value, found.low, found.high) == (5.0, 1.0, 9.0)


def test_interval_of_the_median_has_the_width_that_theory_gives():
    values = np.random.default_rng(1).normal(100.0, 10.0, 2000)
    found = median_interval(values.tolist())
    half = 1.96 * 1.2533 * 10.0 / np.sqrt(2000)  # normal approximation of a median's error
    assert found.high - found.low == pytest.approx(2 * half, rel=0.25)
    assert found.low < found.value < found.high


def test_interval_depends_on_the_seed_only():
    values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    assert median_interval(values, seed=3) == median_interval(values, seed=3)


def test_paired_ratio_cancels_load_that_hits_both():
    load = np.array([1.0, 1.0, 5.0, 50.0, 2.0])
    found = paired_ratio((30 * load).tolist(), (10 * load).tolist())
    assert (found.value, found.low, found.high) == (3.0, 3.0, 3.0)


def test_noise_is_the_distance_from_one_in_either_direction():
    assert repeat_noise([10.0, 20.0, 30.0], [10.0, 20.0, 30.0]) == 0.0
    assert repeat_noise([10.5, 21.0], [10.0, 20.0]) == pytest.approx(0.05)
    assert repeat_noise([9.5, 19.0], [10.0, 20.0]) == pytest.approx(0.05)


def test_a_trend_is_the_slope_and_its_interval_holds_the_truth():
    exact = trend([float(i) for i in range(12)], [2.0 * i + 1.0 for i in range(12)])
    assert (exact.value, exact.low, exact.high) == pytest.approx((2.0, 2.0, 2.0))
    draw = np.random.default_rng(0)
    places = draw.uniform(0, 10, 200)
    found = trend(places.tolist(), (0.3 * places + draw.normal(size=200)).tolist())
    assert found.low < 0.3 < found.high
    assert 0 < found.high - found.low < 0.2
    flat = trend(places.tolist(), draw.normal(size=200).tolist())
    assert flat.low < 0 < flat.high
