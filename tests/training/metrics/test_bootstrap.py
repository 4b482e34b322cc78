import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from empgan_rt.errors import DataError, InputError
from empgan_training.metrics.bleu import score_bleu
from empgan_training.metrics.bootstrap import (
    BOOTSTRAPPED,
    JACKKNIFED,
    METRICS,
    TextResamples,
    resample_texts,
)
from empgan_training.metrics.distinct import score_distinct
from empgan_training.metrics.intervals import Interval, mean_intervals, times_drawn
from empgan_training.metrics.rouge import score_rouge

Texts = list[list[str]]


def corpus(n: int, *, right: float, seed: int = 3) -> tuple[Texts, Texts]:
    """Return n hypotheses and references over 200 words, the given share of words equal."""
    rng = np.random.default_rng(seed)
    hypotheses, references = [], []
    for _ in range(n):
        reference = (200 * rng.random(rng.integers(1, 12)) ** 2).astype(int)
        other = (200 * rng.random(len(reference)) ** 2).astype(int)
        mixed = np.where(rng.random(len(reference)) < right, reference, other)
        references.append([f"w{i}" for i in reference])
        hypotheses.append([f"w{i}" for i in mixed])
    hypotheses[0] = []
    return hypotheses, references


def by_the_scorers(hypotheses: Texts, references: Texts) -> dict[str, float]:
    """Every metric of these samples, by the functions that reports use."""
    bleu, rouge = score_bleu(hypotheses, references), score_rouge(hypotheses, references)
    distinct = score_distinct(hypotheses)
    return {
        "bleu_1": bleu.bleu_1.value,
        "bleu_2": bleu.bleu_2.value,
        "bleu_3": bleu.bleu_3.value,
        "bleu_4": bleu.bleu_4.value,
        "distinct_1": distinct.distinct_1,
        "distinct_2": distinct.distinct_2,
        "rouge_1_f": rouge.rouge_1.f,
        "rouge_2_f": rouge.rouge_2.f,
        "rouge_l_f": rouge.rouge_l.f,
    }


HYPOTHESES, REFERENCES = corpus(60, right=0.6)


@pytest.fixture(scope="module")
def system() -> TextResamples:
    return resample_texts(HYPOTHESES, REFERENCES, resamples=200, seed=5)


def test_values_are_exactly_the_scorers(system: TextResamples) -> None:
    values = {name: interval.value for name, interval in system.intervals().items()}
    assert values == by_the_scorers(HYPOTHESES, REFERENCES)
    assert tuple(values) == METRICS
    assert system.n == 60


def test_replicates_equal_the_scorers_on_the_drawn_texts(system: TextResamples) -> None:
    drawn = np.random.default_rng(5).integers(60, size=(200, 60))
    for resample in (0, 1, 199):
        texts = [[side[i] for i in drawn[resample]] for side in (HYPOTHESES, REFERENCES)]
        expected = by_the_scorers(*texts)
        assert system.replicates[resample].tolist() == pytest.approx(
            [expected[name] for name in BOOTSTRAPPED]
        )


def test_deletions_equal_distinct_without_each_sample(system: TextResamples) -> None:
    for i in range(60):
        scores = score_distinct(HYPOTHESES[:i] + HYPOTHESES[i + 1 :])
        expected = [getattr(scores, name) for name in JACKKNIFED]
        assert system.deletions[i].tolist() == pytest.approx(expected)


def test_one_sample_has_no_spread() -> None:
    # every resample is the sample itself, so all replicates equal the scorers' values
    intervals = resample_texts([["a", "b"]], [["a", "c"]], resamples=40).intervals()
    for interval in intervals.values():
        assert (interval.low, interval.high) == pytest.approx((interval.value,) * 2)


def test_rouge_interval_is_that_of_a_mean() -> None:
    hypotheses, references = corpus(400, right=0.5)
    each = [score_rouge([h], [r]).rouge_1.f for h, r in zip(hypotheses, references, strict=True)]
    margin = 1.96 * float(np.std(each)) / math.sqrt(400)
    interval = resample_texts(hypotheses, references).intervals()["rouge_1_f"]
    assert interval.method == "bootstrap"
    assert interval.high - interval.value == pytest.approx(margin, rel=0.15)
    assert interval.value - interval.low == pytest.approx(margin, rel=0.15)


def test_mean_interval_by_hand() -> None:
    draws = np.array([[2, 0], [1, 1], [0, 2]] * 400 + [[0, 2]])
    flat, steep = mean_intervals(np.array([[7.0, 0.0], [7.0, 100.0]]), draws)
    assert flat == Interval(7.0, 7.0, 7.0, "bootstrap")
    assert steep == Interval(50.0, 0.0, 100.0, "bootstrap")  # each end has a third of the draws


def test_draws_count_every_sample() -> None:
    draws = times_drawn(5, resamples=50, seed=2)
    assert draws.shape == (50, 5)
    assert set(draws.sum(axis=1)) == {5}
    assert (draws == times_drawn(5, resamples=50, seed=2)).all()
    assert (draws != times_drawn(5, resamples=50, seed=3)).any()
    with pytest.raises(InputError, match="resamples is 39"):
        times_drawn(5, resamples=39)


def test_distinct_interval_by_hand() -> None:
    # Distinct-1 of (a) (b) (a): 2/3; without each: b a, a a, a b: 100, 50, 100, mean 250/3,
    # squared deviations (2 * (50/3)^2 + (100/3)^2) = 5000/3; SE = sqrt(2/3 * 5000/3) = 100/3
    interval = resample_texts([["a"], ["b"], ["a"]], [["a"]] * 3).intervals()["distinct_1"]
    assert interval.method == "jackknife"
    assert interval.value == pytest.approx(200 / 3)
    assert interval.high - interval.value == pytest.approx(1.959964 * 100 / 3, rel=1e-6)
    assert interval.value - interval.low == pytest.approx(1.959964 * 100 / 3, rel=1e-6)


def test_distinct_interval_covers_fresh_samples_of_the_same_source() -> None:
    fresh = [corpus(300, right=0.0, seed=seed)[0] for seed in range(40)]
    wanted = [score_distinct(texts).distinct_1 for texts in fresh]
    interval = resample_texts(fresh[0], fresh[0], resamples=40).intervals()["distinct_1"]
    half = (interval.high - interval.low) / 2
    assert 0.8 < half / (1.96 * float(np.std(wanted))) < 1.8


def test_the_better_system_is_found_and_a_system_equals_itself(system: TextResamples) -> None:
    worse_texts, references = corpus(60, right=0.2)
    assert references == REFERENCES  # the two systems answer the same samples
    worse = resample_texts(worse_texts, references, resamples=200, seed=5)
    better = system.differences(worse)
    for name in ("bleu_1", "bleu_2", "rouge_1_f", "rouge_l_f"):
        assert 0 < better[name].low < better[name].value < better[name].high
    reverse = worse.differences(system)
    for name in METRICS:
        assert reverse[name].value == -better[name].value
        assert reverse[name].low == pytest.approx(-better[name].high)
    for interval in system.differences(system).values():
        assert (interval.value, interval.low, interval.high) == (0, 0, 0)


def test_pairing_narrows_the_difference_of_like_systems(system: TextResamples) -> None:
    like = [[*tokens, "!"] if i % 5 == 0 else tokens for i, tokens in enumerate(HYPOTHESES)]
    other = resample_texts(like, REFERENCES, resamples=200, seed=5)
    alone, besides, paired = system.intervals(), other.intervals(), other.differences(system)
    for name in METRICS:
        widths = [i[name].high - i[name].low for i in (alone, besides, paired)]
        assert widths[2] < 0.5 * math.hypot(*widths[:2])  # what unpaired systems would have


def test_the_seed_decides(system: TextResamples) -> None:
    again = resample_texts(HYPOTHESES, REFERENCES, resamples=200, seed=5)
    assert again.intervals() == system.intervals()
    other = resample_texts(HYPOTHESES, REFERENCES, resamples=200, seed=6)
    assert other.intervals()["bleu_1"] != system.intervals()["bleu_1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 6}, "differ in seed: 5 and 6"),
        ({"references_sha256": "0"}, "differ in references"),
        ({"replicates": np.zeros((40, 7))}, "number of resamples: 200 and 40"),
    ],
)
def test_refuses_systems_that_are_not_paired(
    system: TextResamples, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        system.differences(dataclasses.replace(system, **change))


def test_refuses_few_resamples_and_lists_that_do_not_pair_up() -> None:
    with pytest.raises(InputError, match="resamples is 39"):
        resample_texts(HYPOTHESES, REFERENCES, resamples=39)
    with pytest.raises(DataError, match="60 hypotheses for 59 references"):
        resample_texts(HYPOTHESES, REFERENCES[:-1])
