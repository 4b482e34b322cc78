import pytest

from empgan_rt.errors import DataError
from empgan_training.metrics.legacy_rouge import score_legacy_rouge
from empgan_training.metrics.rouge import RougeScores, score_rouge

# Hypothesis, reference, and f, p, r of ROUGE-1, ROUGE-2 and ROUGE-L (in percent) as `rouge` 0.3.2
# gives them. In order: two sentences; repetitions; a set of all words; stops within tokens; no
# match; two longest common subsequences ("a b a b" and one with "c"); stops that follow stops.
GOLDEN = [
    (
        "I am so sorry to hear that . Are you all right ?",
        "I am sorry to hear that . What happened ?",
        (66.66666618, 58.33333333, 77.77777778),
        (42.10526267, 36.36363636, 50.0),
        (64.1025641, 58.33333333, 77.77777778),
    ),
    (
        "No . no . I said no no no",
        "I said no .",
        (85.71428522, 75.0, 100.0),
        (57.14285673, 40.0, 100.0),
        (82.41758242, 75.0, 100.0),
    ),
    (
        "the cat saw the dog and the dog saw the cat",
        "the dog saw the cat",
        (88.8888884, 80.0, 100.0),
        (72.72727226, 57.14285714, 100.0),
        (86.77248677, 80.0, 100.0),
    ),
    (
        "Well ... that is 3.50 a cup .",
        "That is 3.5 a cup .",
        (61.53846104, 57.14285714, 66.66666667),
        (36.36363587, 33.33333333, 40.0),
        (60.82289803, 57.14285714, 66.66666667),
    ),
    ("Great", "I got the job !", (0, 0, 0), (0, 0, 0), (0, 0, 0)),
    (
        "a b c a b",
        "b a c b a b",
        (99.9999995, 100.0, 100.0),
        (28.57142808, 33.33333333, 25.0),
        (66.66666667, 66.66666667, 66.66666667),
    ),
    (
        "Yes . .",
        "Yes . . .",
        (99.9999995, 100.0, 100.0),
        (66.66666622, 100.0, 50.0),
        (100.0, 100.0, 100.0),
    ),
]
AVERAGES = (
    (71.82975712, 67.21088435, 77.77777778),
    (43.36816026, 42.88188002, 52.14285714),
    (65.82602828, 62.44897959, 73.01587302),
)


def parts(scores: RougeScores) -> list[tuple[float, float, float]]:
    return [(s.f, s.p, s.r) for s in (scores.rouge_1, scores.rouge_2, scores.rouge_l)]


@pytest.mark.parametrize(("hypothesis", "reference", "rouge_1", "rouge_2", "rouge_l"), GOLDEN)
def test_equals_the_package(
    hypothesis: str, reference: str, rouge_1: object, rouge_2: object, rouge_l: object
) -> None:
    given = parts(score_legacy_rouge([hypothesis.split()], [reference.split()]))
    for got, expected in zip(given, (rouge_1, rouge_2, rouge_l), strict=True):
        assert got == pytest.approx(expected, abs=1e-6)


def test_averages_equal_the_package() -> None:
    scores = score_legacy_rouge([row[0].split() for row in GOLDEN], [r[1].split() for r in GOLDEN])
    assert scores.n == len(GOLDEN)
    for got, expected in zip(parts(scores), AVERAGES, strict=True):
        assert got == pytest.approx(expected, abs=1e-6)


def test_hand_computed_sets_and_weighted_f() -> None:
    # sets {a, b} and {a, b, c, d}: P 1, R 1/2, F 2/3; as clipped counts P would be 2/4
    # ROUGE-L: b = 2, F = (1 + 4) * 1/2 / (1/2 + 4) = 5/9, where the standard F of P and R is 2/3
    scores = score_legacy_rouge([["a", "b", "b", "a"]], [["a", "b", "c", "d"]])
    assert parts(scores)[0] == pytest.approx((200 / 3, 100, 50), abs=1e-5)
    assert parts(scores)[2] == pytest.approx((500 / 9, 100, 50), abs=1e-5)
    assert score_rouge([["a", "b", "b", "a"]], [["a", "b", "c", "d"]]).rouge_1.p == 50


@pytest.mark.parametrize("empty", [[], ["."]])
def test_a_side_without_a_sentence_scores_0(empty: list[str]) -> None:
    text = ["I", "see", "."]
    for pair in (([empty], [text]), ([text], [empty]), ([empty], [empty])):
        assert parts(score_legacy_rouge(*pair)) == [(0, 0, 0)] * 3
    # and counts in the average
    both = score_legacy_rouge([text, empty], [text, text])
    assert both.rouge_l.r == pytest.approx(50)


def test_signature_tells_the_mode_from_the_standard_one() -> None:
    pair = ([["a"]], [["a"]])
    assert "mode:legacy-rouge-0.3.2" in score_legacy_rouge(*pair).signature
    assert "legacy" not in score_rouge(*pair).signature


def test_refuses_lists_that_do_not_pair_up() -> None:
    with pytest.raises(DataError, match="1 hypotheses for 2 references"):
        score_legacy_rouge([["a"]], [["a"], ["b"]])
