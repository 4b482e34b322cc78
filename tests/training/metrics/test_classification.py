import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empgan_rt.errors import DataError
from empgan_training.metrics.classification import ClassScore, score_labels


def test_hand_computed_example() -> None:
    # gold       1 1 1 1 2 2 3
    # predicted  1 1 2 4 2 1 2     hits: 1, 1, 2 -> 3 of 7
    # class 1: P 2/3, R 2/4, F 4/7; class 2: P 1/3, R 1/2, F 2/5; class 3: never predicted, 0;
    # class 4 is not in gold, so macro-F1 = (4/7 + 2/5 + 0) / 3
    scores = score_labels(predicted=[1, 1, 2, 4, 2, 1, 2], gold=[1, 1, 1, 1, 2, 2, 3])
    assert scores.n == 7
    assert scores.accuracy == pytest.approx(100 * 3 / 7)
    assert scores.majority_accuracy == pytest.approx(100 * 4 / 7)
    assert scores.macro_f1 == pytest.approx(100 * (4 / 7 + 2 / 5) / 3)
    one, two, three, four = scores.classes
    assert (one.label, one.support) == (1, 4)
    assert (one.precision, one.recall, one.f1) == pytest.approx((200 / 3, 50, 400 / 7))
    assert (two.precision, two.recall, two.f1) == pytest.approx((100 / 3, 50, 40))
    assert three == ClassScore(label=3, support=1, precision=0, recall=0, f1=0)
    assert four == ClassScore(label=4, support=0, precision=0, recall=0, f1=0)


def test_perfect_and_hopeless() -> None:
    labels = np.array([7, 1, 1, 3], dtype=np.int32)
    perfect = score_labels(labels, labels)
    assert (perfect.accuracy, perfect.macro_f1) == (100, 100)
    hopeless = score_labels([2, 2, 2, 2], labels)
    assert (hopeless.accuracy, hopeless.macro_f1) == (0, 0)


def test_always_the_majority_has_high_accuracy_and_low_macro_f1() -> None:
    # 8 of 10: class 0 has P 8/10, R 1, F 16/18; class 1 has 0
    scores = score_labels([0] * 10, [0] * 8 + [1] * 2)
    assert scores.accuracy == scores.majority_accuracy == 80
    assert scores.macro_f1 == pytest.approx(100 * 8 / 18)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1))
def test_f1_is_the_harmonic_mean_and_accuracy_the_weighted_recall(
    pairs: list[tuple[int, int]],
) -> None:
    predicted, gold = zip(*pairs, strict=True)
    scores = score_labels(predicted, gold)
    for c in scores.classes:
        both = c.precision + c.recall
        assert c.f1 == pytest.approx(2 * c.precision * c.recall / both if both else 0)
    weighted = sum(c.support * c.recall for c in scores.classes) / scores.n
    assert scores.accuracy == pytest.approx(weighted)


def test_as_dict_is_ready_for_json() -> None:
    scores = score_labels(np.array([1, 2]), np.array([1, 1])).as_dict()
    assert json.loads(json.dumps(scores)) == scores
    assert [c["label"] for c in scores["classes"]] == [1, 2]


@pytest.mark.parametrize(
    ("predicted", "gold", "message"),
    [
        ([1, 2], [1], "2 predicted labels for 1 gold ones"),
        ([], [], r"predicted labels have shape \(0,\)"),
        ([1.0], [1], "dtype float64"),
        ([1], [[1]], r"gold labels have shape \(1, 1\)"),
    ],
)
def test_refuses(predicted: list[int], gold: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        score_labels(predicted, gold)
