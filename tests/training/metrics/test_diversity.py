import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU

from empgan_rt.errors import DataError, DependencyError, InputError
from empgan_training.metrics.diversity import score_diversity


def words(text: str) -> list[str]:
    return text.split()


REPLIES = [
    words("I am glad to hear that ."),
    words("I am sorry to hear that ."),
    words("Really ? I am so glad for you !"),
    words("I am sorry to hear that ."),
    ["OK"],
    [],
]
texts = st.lists(st.lists(st.sampled_from("abc"), max_size=7), min_size=2, max_size=6)


def self_bleu_by_all_pairs(hypotheses: list[list[str]]) -> float:
    """Each against all others by sacrebleu's own multi-reference sentence score."""
    metric = BLEU(tokenize="none", effective_order=True, force=True)
    joined = [" ".join(tokens) for tokens in hypotheses]
    scores = [
        metric.sentence_score(text, joined[:i] + joined[i + 1 :]).score
        for i, text in enumerate(joined)
    ]
    return sum(scores) / len(scores)


def test_adjusted_distinct_by_hand() -> None:
    # D = 2 of C = 3 tokens, V = 4: uniform draws give 4 * (1 - 27/64) = 37/16
    assert score_diversity([["a", "b"], ["a"]], 4).adjusted_distinct_1 == pytest.approx(
        100 * 2 * 16 / 37
    )
    # with one type, any number of draws gives one
    assert score_diversity([["a", "a"], ["a"]], 1).adjusted_distinct_1 == 100


def test_adjusted_distinct_of_uniform_draws_does_not_fall_with_length() -> None:
    # 50 tokens of which each of 50 types is one, against the same text 20 times: Distinct falls
    # from 100 to 5; all 50 types are what 1,000 draws from 50 would give
    text = [[str(i) for i in range(50)]]
    assert score_diversity(text * 20, 50).adjusted_distinct_1 == pytest.approx(100, abs=1e-6)


def test_entropy_by_hand_in_nats() -> None:
    # unigrams a a b c: 1/2, 1/4, 1/4; bigrams a-a, b-c: 1/2 each
    scores = score_diversity([["a", "a"], ["b", "c"]], 10)
    assert scores.entropy_1 == pytest.approx(1.5 * math.log(2))
    assert scores.entropy_2 == pytest.approx(math.log(2))
    assert score_diversity([["a"], ["a"]], 10).entropy_1 == 0


@given(texts)
def test_self_bleu_equals_sacrebleu_with_all_others_as_references(
    hypotheses: list[list[str]],
) -> None:
    value = score_diversity(hypotheses, 3).self_bleu.value
    assert value == pytest.approx(self_bleu_by_all_pairs(hypotheses))


def test_self_bleu_of_equal_and_of_disjoint_texts() -> None:
    same = score_diversity([words("I see what you mean .")] * 3, 10).self_bleu
    assert same.value == pytest.approx(100)
    assert same.signature.startswith("nrefs:2|case:mixed|eff:yes|tok:none|smooth:exp|avg:macro|")
    assert score_diversity([["a", "b"], ["c", "d"]], 10).self_bleu.value == 0


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("yes , yes", False),
        ("no no", True),  # a token directly after itself
        ("wait ! !", True),  # punctuation too
        ("I am fine , I am sure", False),  # a bigram twice
        ("I am fine , I am fine", True),  # a trigram twice
        ("a b a b a", True),  # overlapping: a-b-a twice
        ("a b a b", False),
        ("", False),
    ],
)
def test_repetition_rate(text: str, repeats: bool) -> None:
    scores = score_diversity([text.split(), ["other"]], 20)
    assert scores.repetition_rate == (50 if repeats else 0)


def test_generic_rate_counts_every_reply_that_another_sample_also_got() -> None:
    assert score_diversity(REPLIES, 50).generic_rate == pytest.approx(100 * 2 / 6)
    # case and punctuation make replies different; a a b b b c: five of six
    assert score_diversity([["OK"], ["ok"], ["OK", "."]], 50).generic_rate == 0
    assert score_diversity([["a"], ["a"], *[["b"]] * 3, ["c"]], 9).generic_rate == pytest.approx(
        500 / 6
    )


def test_only_empty_texts() -> None:
    scores = score_diversity([[], []], 9)
    assert (scores.n, scores.vocabulary_size) == (2, 9)
    assert scores.adjusted_distinct_1 == scores.entropy_1 == scores.entropy_2 == 0
    assert scores.self_bleu.value == scores.repetition_rate == 0
    assert scores.generic_rate == 100


def test_refuses_one_hypothesis_and_a_vocabulary_that_is_too_small() -> None:
    with pytest.raises(DataError, match="1 hypotheses to compare, at least 2"):
        score_diversity([["a"]], 9)
    with pytest.raises(InputError, match="vocabulary_size is 2, at least 3 wanted"):
        score_diversity([["a", "b"], ["c"]], 2)
    with pytest.raises(InputError, match="at least 1 wanted"):
        score_diversity([[], []], 0)


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(DependencyError, match=r"empgan-rt\[eval\]"):
        score_diversity(REPLIES, 50)
