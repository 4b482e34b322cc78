"""How far a classifier's probabilities are from what happens, and the temperature that mends it.

The expected calibration error sorts answers by the probability p of the class named into bins of
equal width, and is the mean over the answers of |share that is right in its bin - mean p in its
bin|. One temperature T turns logits z into softmax(z / T), which changes no answer; the best one
maximises the likelihood of held-out labels (Guo et al. 2017, "On Calibration of Modern Neural
Networks").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from empgan_rt.errors import DataError

BINS = 15  # as in the paper
_STEPS = 50  # of Newton's method, which needs about six
_RANGE = 0.05, 20.0  # of 1 / T: labels that are all right, or all wrong, have no best one

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]


def calibration_error(probabilities: Floats, gold: Integers) -> float:
    """Return the expected calibration error of the most probable classes, in percent.

    Args:
        probabilities: (n, C) of each answer, n >= 1.
        gold: (n,) the right columns.

    Raises:
        DataError: there is no answer, or the counts differ.
    """
    _check(probabilities, gold)
    named = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1).astype(np.float64)
    in_bin = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    surplus = sure - (named == gold)
    gaps = np.bincount(in_bin, weights=surplus, minlength=BINS)  # each times its bin's answers
    return 100.0 * float(np.abs(gaps).sum()) / len(gold)


def best_temperature(logits: Floats, gold: Integers) -> float:
    """Return the temperature at which the gold labels are most probable.

    The negative log-likelihood is convex in 1 / T; its derivatives there are the mean of E[z] - z
    of gold, and the mean variance of z.

    Args:
        logits: (n, C), n >= 1.
        gold: (n,) the right columns.

    Raises:
        DataError: there is no answer, or the counts differ.
    """
    _check(logits, gold)
    scores = logits.astype(np.float64)
    right = scores[np.arange(len(gold)), gold]
    sharpness = 1.0
    for _ in range(_STEPS):
        powers = np.exp(sharpness * (scores - scores.max(axis=1, keepdims=True)))
        share = powers / powers.sum(axis=1, keepdims=True)
        mean = (share * scores).sum(axis=1)
        slope = float((mean - right).mean())
        curvature = float((share * scores**2).sum(axis=1).mean() - (mean**2).mean())
        step = slope / max(curvature, 1e-9)
        # no step to less than half or more than twice: it cannot leave, and converges from afar
        sharpness = float(np.clip(sharpness - step, sharpness / 2, sharpness * 2))
        sharpness = float(np.clip(sharpness, *_RANGE))
        if abs(step) < 1e-9:
            break
    return 1.0 / sharpness


def _check(rows: Floats, gold: Integers) -> None:
    if rows.ndim != 2 or not len(rows) or gold.shape != rows.shape[:1]:
        raise DataError(
            f"rows of shape {rows.shape} for labels of shape {gold.shape}",
            hint="give at least one row of classes, and one label for each",
        )
