import pytest

from empgan_rt.errors import DataError
from empgan_training.metrics.distinct import DistinctScores, score_distinct


def test_hand_counted_example() -> None:
    # unigrams: i see i see i do (6), different: i see do (3)
    # bigrams: i-see see-i i-see, i-do (4; none crosses the texts), different: i-see see-i i-do (3)
    scores = score_distinct([["i", "see", "i", "see"], ["i", "do"]])
    assert scores == DistinctScores(n=2, distinct_1=50.0, distinct_2=75.0, unigrams=6, bigrams=4)


def test_bigrams_do_not_cross_from_one_hypothesis_to_the_next() -> None:
    assert score_distinct([["a"], ["b"]]).bigrams == 0


def test_bigrams_are_tuples_and_not_joined_strings() -> None:
    assert score_distinct([["a", "bc"], ["ab", "c"]]).distinct_2 == 100


def test_all_different_all_equal_and_empty() -> None:
    assert score_distinct([["a", "b", "c"]]).distinct_1 == 100
    equal = score_distinct([["ok", "."]] * 10)
    assert (equal.distinct_1, equal.distinct_2) == (10, 10)
    assert score_distinct([[], []]) == DistinctScores(2, 0.0, 0.0, 0, 0)


def test_repeating_the_corpus_halves_the_value() -> None:
    texts = [["how", "are", "you"], ["fine", "thanks"]]
    assert score_distinct(texts * 2).distinct_2 == score_distinct(texts).distinct_2 / 2


def test_refuses_no_hypothesis() -> None:
    with pytest.raises(DataError, match="0 hypotheses"):
        score_distinct([])
