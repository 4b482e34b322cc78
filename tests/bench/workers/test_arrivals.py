import numpy as np
import pytest

from empgan_bench.workers.requests import poisson


def test_the_rate_is_kept_exactly_however_few_arrive():
    for count in (1, 7, 500):
        times = [arrival.at_ms for arrival in poisson(20.0, count, 5, seed=3)]
        assert len(times) == count
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= count / 20.0 * 1e3


def test_gaps_are_those_of_a_poisson_process():
    gaps = np.diff([arrival.at_ms for arrival in poisson(50.0, 5000, 1, seed=0)])
    assert gaps.mean() == pytest.approx(20.0, rel=0.01)
    assert gaps.std() == pytest.approx(20.0, rel=0.05)  # as exponential ones are spread
    assert np.mean(gaps > 20.0) == pytest.approx(np.exp(-1), abs=0.02)


def test_a_seed_has_one_pattern_which_a_rate_plays_faster():
    slow, fast = (poisson(rate, 9, 4, seed=1) for rate in (1.0, 10.0))
    ratios = [one.at_ms / other.at_ms for one, other in zip(slow, fast, strict=True)]
    assert ratios == pytest.approx([10.0] * 9)
    assert slow == poisson(1.0, 9, 4, seed=1)
    assert slow != poisson(1.0, 9, 4, seed=2)


def test_dialogues_are_asked_for_in_turn():
    assert [arrival.item for arrival in poisson(1.0, 5, 2, seed=0)] == [0, 1, 0, 1, 0]
