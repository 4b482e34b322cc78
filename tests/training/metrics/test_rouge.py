import re
import sys

import pytest

from empgan_rt.errors import DataError, DependencyError
from empgan_training.metrics.rouge import RougeScore, score_rouge


def words(text: str) -> list[str]:
    return text.split()


def approx(f: float, p: float, r: float) -> tuple[object, ...]:
    return tuple(pytest.approx(100 * value) for value in (f, p, r))


def parts(score: RougeScore) -> tuple[float, ...]:
    return score.f, score.p, score.r


def test_example_of_lins_paper() -> None:
    # Lin 2004, section 3.1: S1 police killed the gunman; S2 police kill the gunman;
    # S3 the gunman kill police. ROUGE-L(S2) = 3/4, ROUGE-L(S3) = 2/4; ROUGE-2 is 1/3 for both.
    s1, s2, s3 = ("police killed the gunman", "police kill the gunman", "the gunman kill police")
    second = score_rouge([s2.split()], [s1.split()])
    third = score_rouge([s3.split()], [s1.split()])
    assert parts(second.rouge_l) == approx(3 / 4, 3 / 4, 3 / 4)
    assert parts(third.rouge_l) == approx(2 / 4, 2 / 4, 2 / 4)
    assert parts(second.rouge_2) == parts(third.rouge_2) == approx(1 / 3, 1 / 3, 1 / 3)


def test_hand_computed_pair_of_unequal_lengths() -> None:
    # hypothesis a a b (3), reference a b c d (4); clipped matches a, b: P 2/3, R 2/4, F 4/7
    # bigrams aa ab / ab bc cd: P 1/2, R 1/3, F 2/5; longest common subsequence "a b": as ROUGE-1
    scores = score_rouge([["a", "a", "b"]], [words("a b c d")])
    assert parts(scores.rouge_1) == approx(4 / 7, 2 / 3, 2 / 4)
    assert parts(scores.rouge_2) == approx(2 / 5, 1 / 2, 1 / 3)
    assert parts(scores.rouge_l) == approx(4 / 7, 2 / 3, 2 / 4)


def test_subsequence_may_have_gaps_but_keeps_order() -> None:
    # reference a b c d e, hypothesis e a x c d: subsequence "a c d" = 3 of 5, unigrams 4 of 5
    scores = score_rouge([list("eaxcd")], [list("abcde")])
    assert parts(scores.rouge_l) == approx(3 / 5, 3 / 5, 3 / 5)
    assert parts(scores.rouge_1) == approx(4 / 5, 4 / 5, 4 / 5)


def test_macro_average_over_pairs() -> None:
    # pairs (P, R, F): (1, 1/2, 2/3), (0, 0, 0), (1/2, 1, 2/3)
    # the mean of F is 4/9, where the F of the mean P and R would be 1/2
    hypotheses = [["a"], ["x"], ["a", "b"]]
    references = [["a", "b"], ["y"], ["a"]]
    scores = score_rouge(hypotheses, references)
    assert parts(scores.rouge_1) == approx(4 / 9, 1 / 2, 1 / 2)
    assert scores.n == 3


def test_identical_disjoint_and_empty() -> None:
    text = words("i am glad to hear that .")
    same = score_rouge([text], [text])
    for score in (same.rouge_1, same.rouge_2, same.rouge_l):
        assert parts(score) == approx(1, 1, 1)
    for hypothesis in (["x", "y"], []):
        none = score_rouge([hypothesis], [text])
        for score in (none.rouge_1, none.rouge_2, none.rouge_l):
            assert parts(score) == (0, 0, 0)


def test_tokens_are_ours() -> None:
    # rouge-score's own tokeniser would lower the case and drop "!", and score 1
    scores = score_rouge([["Great", "!"]], [["great", "!"]])
    assert parts(scores.rouge_1) == approx(1 / 2, 1 / 2, 1 / 2)


def test_signature() -> None:
    pattern = r"nrefs:1\|case:mixed\|stem:no\|tok:none\|avg:macro\|rouge-score:[\d.]+"
    assert re.fullmatch(pattern, score_rouge([["a"]], [["a"]]).signature)


def test_refuses_lists_that_do_not_pair_up() -> None:
    with pytest.raises(DataError, match="1 hypotheses for 2 references"):
        score_rouge([["a"]], [["a"], ["b"]])


def test_missing_rouge_score_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    with pytest.raises(DependencyError, match=r"rouge_score.*empgan-rt\[eval\]"):
        score_rouge([["a"]], [["a"]])
