import pytest

from empgan_bench.scaling.report import sentence
from support.growth_points import make_growth


def test_the_sentence_holds_the_numbers():
    found = make_growth("turns", {n: (n, 30.0, 2.0) for n in (1, 4)})
    assert sentence(found) == (
        "ours, turns: cost grows more slowly than linearly from 1 to 4 (exponent 0.06 [0.06, 0.06])"
        ", mainly in the decoder steps (exponent 0.00): at 4 a batch takes 96.00 ms less than by "
        "linear growth (the decoder steps 90.00, the search 6.00, the encoders 0.00)."
    )


@pytest.mark.parametrize(
    ("axis", "costs", "told"),
    [
        ("batch", {1: (1, 1, 1), 2: (2, 2, 2)}, "grows linearly from 1 to 2 (exponent 1.00"),
        ("batch", {1: (1, 1, 1), 2: (4, 2, 2)}, "faster than linearly"),
        ("batch", {1: (1, 1, 1)}, "was measured at one value only"),
        ("threads", {1: (2, 2, 2), 2: (1, 1, 1)}, "falls in proportion"),
        ("threads", {1: (2, 2, 2), 2: (2, 2, 2)}, "is more than proportion allows from 1 to 2"),
        ("vocabulary", {2_000: (1, 1, 1), 4_000: (2, 2, 2)}, "from 2,000 to 4,000"),
    ],
)
def test_sentences(axis, costs, told):
    assert told in sentence(make_growth(axis, costs))
