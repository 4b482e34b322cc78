import pytest

from empgan_bench.batches.summary import metrics_of, ratio_of, row_of
from empgan_bench.engines.base import Timing
from empgan_bench.measuring.gate import Cell, Verdict
from empgan_bench.measuring.slo import METRICS, REQUEST_METRICS, SERVING_METRICS, Objective
from empgan_bench.measuring.timing import Series, Visit
from empgan_rt.errors import InputError


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("p99_ms<50", Objective("p99_ms", "<", 50.0)),
        (" ratio >= 2.5 ", Objective("ratio", ">=", 2.5)),
        ("dialogues_per_s>.5", Objective("dialogues_per_s", ">", 0.5)),
        ("max_ms<=7.", Objective("max_ms", "<=", 7.0)),
    ],
)
def test_parses(text, parsed):
    assert Objective.parse(text) == parsed


@pytest.mark.parametrize(
    "text", ["", "p99_ms", "p99_ms<", "p99<50", "p99_ms=50", "p99_ms<-1", "p99_ms<5e"]
)
def test_refuses(text):
    with pytest.raises(InputError, match="objective") as caught:
        Objective.parse(text)
    assert "p99_ms" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "value", "is_kept"),
    [
        ("p50_ms<50", 49.9, True),
        ("p50_ms<50", 50.0, False),
        ("p50_ms<=50", 50.0, True),
        ("p50_ms>50", 50.0, False),
        ("p50_ms>=50", 50.0, True),
        ("p50_ms<50", float("nan"), False),
    ],
)
def test_bounds(text, value, is_kept):
    assert (Objective.parse(text).missed({"p50_ms": value}) == "") is is_kept


def test_what_may_be_asked_for_depends_on_what_is_measured():
    assert Objective.parse("ttft_p99_ms<50", SERVING_METRICS).metric == "ttft_p99_ms"
    assert Objective.parse("tpot_ms<5", REQUEST_METRICS).keeps(4.9)
    for text, metrics in (("ratio>2", SERVING_METRICS), ("p99_ms<5", REQUEST_METRICS)):
        with pytest.raises(InputError, match="objective"):
            Objective.parse(text, metrics)


def test_a_withheld_metric_is_a_miss():
    assert "too few samples" in Objective.parse("p99_ms<50").missed({"p99_ms": None})


def test_every_metric_is_measured():
    timing = Timing(2.0, 6.0, 2.0, 10.0, 3.0, 8, 4, 40)
    cell = Cell(4, 1, "fixed")
    series = Series("a", cell, [], [Visit(0, 0, [timing]), Visit(0, 3, [timing])])
    ratio = ratio_of(series, series, Verdict("a", cell, 4, 0, 0), seed=0)
    metrics = metrics_of(row_of(series, 0), ratio)
    assert sorted(metrics) == sorted(METRICS)
    assert metrics["per_token_p50_ms"] == pytest.approx(1.0)  # (10 - 3) / (8 - 1)
    assert metrics["dialogues_per_s"] == pytest.approx(400.0)
    assert metrics["tokens_per_s"] == pytest.approx(4000.0)
    assert metrics["ratio"] == 1.0
