import math
import re
import sys
from collections import Counter

import pytest

from empgan_rt.errors import DataError, DependencyError
from empgan_training.metrics.bleu import BleuScores, score_bleu


def words(text: str) -> list[str]:
    return text.split()


def values(scores: BleuScores) -> list[float]:
    return [s.value for s in (scores.bleu_1, scores.bleu_2, scores.bleu_3, scores.bleu_4)]


def bleu_by_formula(hypotheses: list[list[str]], references: list[list[str]], n: int) -> float:
    """Papineni et al. 2002, unsmoothed, one reference: written apart from sacrebleu."""
    precisions = []
    for order in range(1, n + 1):
        hits = total = 0
        for hypothesis, reference in zip(hypotheses, references, strict=True):
            grams, wanted = (
                Counter(zip(*(tokens[i:] for i in range(order)), strict=False))
                for tokens in (hypothesis, reference)
            )
            hits += (grams & wanted).total()
            total += grams.total()
        precisions.append(hits / total)
    h, r = sum(map(len, hypotheses)), sum(map(len, references))
    return 100 * min(1, math.exp(1 - r / h)) * math.prod(precisions) ** (1 / n)


def test_clipping_example_of_the_bleu_paper() -> None:
    # "the" x 7 against a reference with two "the" and seven tokens: p1 = 2/7, no brevity penalty
    scores = score_bleu([words("the the the the the the the")], [words("the cat is on the mat .")])
    assert scores.bleu_1.value == pytest.approx(100 * 2 / 7)


def test_hand_computed_brevity_and_precisions() -> None:
    # hypothesis 4 tokens, reference 5: BP = exp(1 - 5/4); p1 = 4/4, p2 = 2/3 ("a b", "b c")
    scores = score_bleu([words("a b c e")], [words("a b c d e")])
    penalty = math.exp(-0.25)
    assert scores.bleu_1.value == pytest.approx(100 * penalty)
    assert scores.bleu_2.value == pytest.approx(100 * penalty * math.sqrt(2 / 3))
    # p3 = 1/2 ("a b c"); p4 = 0/1, smoothed to 1/2 of one match (Chen and Cherry, method 3)
    assert scores.bleu_3.value == pytest.approx(100 * penalty * (2 / 3 * 1 / 2) ** (1 / 3))
    assert scores.bleu_4.value == pytest.approx(100 * penalty * (2 / 3 * 1 / 2 * 1 / 2) ** (1 / 4))


def test_corpus_equals_an_independent_formula() -> None:
    hypotheses = [
        words("i am so happy for you , that is great news !"),
        words("what did your boss say ?"),
        [],
        words("it will be all right , i am sure of it ."),
    ]
    references = [
        words("i am so happy for you ! that is wonderful news !"),
        words("what did your boss say when you told him ?"),
        ["really", "?"],
        words("it will be all right in the end ."),
    ]
    expected = [bleu_by_formula(hypotheses, references, n) for n in (1, 2, 3, 4)]
    assert values(score_bleu(hypotheses, references)) == pytest.approx(expected)
    assert all(5 < value < 95 for value in expected)


def test_identical_texts_score_100_and_disjoint_or_empty_ones_0() -> None:
    text = words("you must be tired today .")
    assert values(score_bleu([text], [text])) == pytest.approx([100] * 4)
    assert values(score_bleu([["x"] * 6], [text])) == [0] * 4
    assert values(score_bleu([[]], [text])) == [0] * 4


def test_hypotheses_shorter_than_the_order_score_0() -> None:
    scores = values(score_bleu([["oh", "no"]], [["oh", "no"]]))
    assert scores[:2] == pytest.approx([100, 100])
    assert scores[2:] == pytest.approx([0, 0])


def test_case_and_punctuation_are_tokens() -> None:
    scores = score_bleu([["Hi", "!"]], [["hi", "!"]])
    assert scores.bleu_1.value == pytest.approx(50)
    assert score_bleu([["don't"]], [["don", "'t"]]).bleu_1.value == 0


def test_every_score_has_a_signature() -> None:
    scores = score_bleu([["a"]], [["a"]])
    for score in (scores.bleu_1, scores.bleu_2, scores.bleu_3, scores.bleu_4):
        pattern = r"nrefs:1\|case:mixed\|eff:no\|tok:none\|smooth:exp\|version:[\d.]+"
        assert re.fullmatch(pattern, score.signature)
    assert scores.n == 1


def test_refuses_lists_that_do_not_pair_up() -> None:
    with pytest.raises(DataError, match="2 hypotheses for 1 references"):
        score_bleu([["a"], ["b"]], [["a"]])
    with pytest.raises(DataError, match="0 hypotheses"):
        score_bleu([], [])


@pytest.mark.parametrize("token", ["", "a b", " a", "a\u2028b"])
def test_refuses_tokens_that_do_not_survive_joining(token: str) -> None:
    with pytest.raises(
        DataError, match="reference 2 of 2 holds an empty token or one with a space"
    ):
        score_bleu([["a"], ["b"]], [["a"], ["b", token]])


def test_missing_sacrebleu_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(DependencyError, match=r"sacrebleu.*empgan-rt\[eval\]") as caught:
        score_bleu([["a"]], [["a"]])
    assert "\n" not in str(caught.value)
