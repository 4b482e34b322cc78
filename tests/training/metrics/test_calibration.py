"""The calibration error by hand, and the temperature against a search and a known answer."""

from __future__ import annotations

import numpy as np
import pytest

from empgan_rt.errors import DataError
from empgan_training.metrics.calibration import best_temperature, calibration_error


def test_calibration_error_by_hand() -> None:
    sure = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.4, 0.6]], np.float32)
    # three answers of 0.9, two of them right; one of 0.6, right: 3/4 |2/3 - 0.9| + 1/4 |1 - 0.6|
    error = calibration_error(sure, np.array([0, 1, 1, 1]))
    assert error == pytest.approx(100 * (0.75 * (0.9 - 2 / 3) + 0.25 * 0.4), rel=1e-5)


def test_certainty_that_is_right_has_no_error() -> None:
    assert calibration_error(np.eye(3), np.arange(3)) == 0.0
    assert calibration_error(np.eye(3), np.array([1, 2, 0])) == 100.0


def _drawn(seed: int, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Return logits, and labels drawn from their own softmax."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0.0, 2.0, (count, 7))
    noise = generator.gumbel(size=logits.shape)
    return logits, (logits + noise).argmax(axis=1)


@pytest.mark.parametrize("factor", [0.1, 1.0, 4.0, 11.0])
def test_the_temperature_of_inflated_logits_is_found(factor: float) -> None:
    logits, gold = _drawn(1)
    assert best_temperature(factor * logits, gold) == pytest.approx(factor, rel=0.06)


def test_it_is_the_most_likely_one_and_mends_the_error() -> None:
    logits, gold = _drawn(2)
    inflated = 3.0 * logits
    best = best_temperature(inflated, gold)

    def probabilities(temperature: float) -> np.ndarray:
        powers = np.exp(inflated / temperature)
        return powers / powers.sum(axis=1, keepdims=True)

    def nats(temperature: float) -> float:
        return -float(np.log(probabilities(temperature)[np.arange(len(gold)), gold]).mean())

    assert all(nats(best) <= nats(other) for other in np.linspace(best / 2, best * 2, 41))
    assert calibration_error(probabilities(best), gold) < 3.0
    assert calibration_error(probabilities(1.0), gold) > 10.0


def test_labels_that_are_all_right_end_at_the_bound() -> None:
    temperature = best_temperature(np.eye(7), np.arange(7))
    assert temperature == pytest.approx(0.05)


def test_unequal_counts_are_refused() -> None:
    with pytest.raises(DataError, match="labels of shape"):
        calibration_error(np.eye(3), np.arange(2))
    with pytest.raises(DataError, match="at least one row"):
        best_temperature(np.zeros((0, 7)), np.zeros(0, np.int64))
