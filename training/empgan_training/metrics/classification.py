"""Accuracy, precision, recall, F1 and macro-F1 of integer labels.

For class c with tp hits: P = tp / predicted as c, R = tp / truly c, F1 = 2 P R / (P + R), which
equals 2 tp / (predicted as c + truly c) (van Rijsbergen 1979). Macro-F1 is the mean of the F1
of the classes (Yang and Liu 1999), here of those that occur in gold. A quotient over 0 is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from empgan_rt.errors import DataError

Labels = Sequence[int] | npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class ClassScore:
    """The scores of one class, in percent.

    Attributes:
        label: the class.
        support: how often it occurs in gold.
    """

    label: int
    support: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ClassificationScores:
    """Scores of one labelling.

    Attributes:
        n: labels compared.
        accuracy: share of equal labels, in percent.
        macro_f1: mean F1 of the classes with support, in percent.
        majority_accuracy: what always answering gold's most frequent class reaches, in percent.
        classes: one entry for each label of gold or of the predictions, ascending.
    """

    n: int
    accuracy: float
    macro_f1: float
    majority_accuracy: float
    classes: tuple[ClassScore, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the scores as nested plain values, ready for JSON."""
        return {**asdict(self), "classes": [asdict(score) for score in self.classes]}


def score_labels(predicted: Labels, gold: Labels) -> ClassificationScores:
    """Return the scores of predicted labels against gold labels.

    Args:
        predicted: (n,) integers.
        gold: (n,) integers, in the same order.

    Raises:
        DataError: no label, unequal counts, more than one axis, or labels that are not integers.
    """
    predicted_ids, gold_ids = _label_array("predicted", predicted), _label_array("gold", gold)
    if len(predicted_ids) != len(gold_ids):
        raise DataError(
            f"{len(predicted_ids)} predicted labels for {len(gold_ids)} gold ones, equal counts "
            "wanted",
            hint="give one prediction for each gold label, in the same order",
        )
    classes = tuple(
        _class_score(label, predicted_ids == label, gold_ids == label)
        for label in np.union1d(predicted_ids, gold_ids).tolist()
    )
    in_gold = [score for score in classes if score.support]
    return ClassificationScores(
        n=len(gold_ids),
        accuracy=100.0 * float(np.mean(predicted_ids == gold_ids)),
        macro_f1=sum(score.f1 for score in in_gold) / len(in_gold),
        majority_accuracy=100.0 * max(score.support for score in in_gold) / len(gold_ids),
        classes=classes,
    )


def _label_array(name: str, labels: Labels) -> npt.NDArray[np.integer[Any]]:
    """Return the labels as an integer array (n,), n >= 1."""
    ids = np.asarray(labels)
    if ids.ndim != 1 or not ids.size or not np.issubdtype(ids.dtype, np.integer):
        raise DataError(
            f"{name} labels have shape {ids.shape} and dtype {ids.dtype}, one axis of at least 1 "
            "integer wanted"
        )
    return ids


def _class_score(
    label: int, predicted: npt.NDArray[np.bool_], gold: npt.NDArray[np.bool_]
) -> ClassScore:
    """Return the score of one class from where it is predicted (n,) and where it is true (n,)."""
    hits, guesses, support = (int(np.sum(mask)) for mask in (predicted & gold, predicted, gold))
    return ClassScore(
        label=label,
        support=support,
        precision=100.0 * hits / max(guesses, 1),
        recall=100.0 * hits / max(support, 1),
        f1=100.0 * 2 * hits / (guesses + support),  # > 0: each class occurs on some side
    )
