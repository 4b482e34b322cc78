import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empgan_rt.errors import DataError, InputError
from empgan_rt.graph_spec import EOS, UNK
from empgan_training.metrics.ngram_lm import AddOneTrigram

V = 9
ids = st.lists(st.sampled_from([0, 1, 2, 4, 5, 6, 7, 8]), max_size=6)
corpora = st.lists(ids, min_size=1, max_size=8)


def log_probabilities_by_dict(
    train: list[list[int]], test: list[list[int]], size: int
) -> list[float]:
    """The definition with dictionaries: written apart from the sorted keys."""
    trigrams: Counter[tuple[object, ...]] = Counter()
    contexts: Counter[tuple[object, ...]] = Counter()

    def grams(sequence: list[int]) -> list[tuple[object, ...]]:
        marked = ["start", "start", *sequence, EOS]
        return list(zip(marked, marked[1:], marked[2:], strict=False))

    for sequence in train:
        for gram in grams(sequence):
            trigrams[gram] += 1
            contexts[gram[:2]] += 1
    return [
        math.log((trigrams[gram] + 1) / (contexts[gram[:2]] + size))
        for sequence in test
        for gram in grams(sequence)
    ]


def test_hand_computed_probabilities() -> None:
    # fitted on (4 5), (4 5), (4 6); V = 9. In test (4 5 6):
    # p(4|^^) = (3+1)/(3+9); p(5|^4) = (2+1)/(3+9); p(6|4 5) = (0+1)/(2+9); p(EOS|5 6) = 1/9
    model = AddOneTrigram.fit([[4, 5], [4, 5], [4, 6]], V)
    expected = [4 / 12, 3 / 12, 1 / 11, 1 / 9]
    assert np.exp(model.log_probabilities([[4, 5, 6]])) == pytest.approx(expected)
    assert model.perplexity([[4, 5, 6]]) == pytest.approx(math.prod(expected) ** (-1 / 4))


@given(corpora, ids)
def test_probabilities_of_any_context_sum_to_1(train: list[list[int]], prefix: list[int]) -> None:
    model = AddOneTrigram.fit(train, V)
    place = len(prefix)  # of the token after the prefix, EOS included
    total = sum(
        math.exp(model.log_probabilities([prefix + ([] if token == EOS else [token])])[place])
        for token in range(V)
    )
    assert total == pytest.approx(1)


@given(corpora, corpora)
def test_equals_the_definition_with_dictionaries(
    train: list[list[int]], test: list[list[int]]
) -> None:
    model = AddOneTrigram.fit(train, V)
    expected = log_probabilities_by_dict(train, test, V)
    assert model.log_probabilities(test).tolist() == pytest.approx(expected)


def test_contexts_do_not_cross_sequences() -> None:
    model = AddOneTrigram.fit([[4, 5], [6, 7]], V)
    alone = model.log_probabilities([[6, 7]])
    assert np.array_equal(model.log_probabilities([[4, 5], [6, 7]])[3:], alone)


def test_unseen_contexts_are_uniform_and_unk_is_an_id_like_any_other() -> None:
    model = AddOneTrigram.fit([[UNK, UNK]], V)
    # p(EOS | 7 8) = 1/9; p(UNK | start start) = 2/10
    assert math.exp(model.log_probabilities([[7, 8]])[-1]) == pytest.approx(1 / V)
    assert math.exp(model.log_probabilities([[UNK]])[0]) == pytest.approx(2 / 10)


def test_empty_sequence_counts_its_end() -> None:
    model = AddOneTrigram.fit([[]], V)
    assert model.perplexity([[]]) == pytest.approx((1 + V) / 2)


def test_a_learnt_pattern_beats_chance_and_what_was_seen_beats_what_was_not() -> None:
    model = AddOneTrigram.fit([[4, 5, 6, 7]] * 100, V)
    assert model.perplexity([[4, 5, 6, 7]]) < 1.1
    assert model.perplexity([[7, 6, 5, 4]]) > V


def test_keys_do_not_overflow_at_the_largest_vocabulary() -> None:
    last = 999_999
    model = AddOneTrigram.fit([[last, last, last]], 1_000_000)
    assert math.exp(model.log_probabilities([[last] * 3])[2]) == pytest.approx(2 / 1_000_001)


def test_refuses() -> None:
    model = AddOneTrigram.fit([[4]], V)
    with pytest.raises(DataError, match="0 sequences"):
        AddOneTrigram.fit([], V)
    with pytest.raises(DataError, match="ids run from 4 to 9, 0 to 8 wanted"):
        model.perplexity([[4, 9]])
    with pytest.raises(DataError, match="ids run from -1 to 4"):
        model.perplexity([[4, -1]])
    with pytest.raises(DataError, match="1 of 2 ids are EOS"):
        model.perplexity([[4, EOS]])
    for size in (EOS, 1_000_001):
        with pytest.raises(InputError, match=f"vocabulary_size is {size}"):
            AddOneTrigram.fit([[1]], size)
