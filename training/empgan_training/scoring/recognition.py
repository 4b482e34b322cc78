"""How well emotions are recognised, from probabilities and gold labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..metrics.calibration import calibration_error
from ..metrics.classification import ClassificationScores, score_labels


@dataclass(frozen=True)
class RecogniserScores(ClassificationScores):
    """Scores of the most probable label of each turn.

    Attributes:
        calibration_error: of that label's probability, in percent.
    """

    calibration_error: float


def score_recognised(
    probabilities: npt.NDArray[np.float32], gold: npt.NDArray[np.int64]
) -> RecogniserScores:
    """Return the scores of probabilities (n, 7) of the labels 1..7 against gold ones (n,).

    Raises:
        DataError: there is no turn, or the counts differ.
    """
    scores = score_labels(probabilities.argmax(axis=-1) + 1, gold)
    return RecogniserScores(
        **vars(scores), calibration_error=calibration_error(probabilities, gold - 1)
    )
