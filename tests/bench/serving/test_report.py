import re

import msgspec
import pytest

from empgan_bench.batches.comparison import read_report
from empgan_bench.measuring import timing
from empgan_bench.reports.files import FILES, write
from empgan_bench.serving.page import render_markdown, render_page
from empgan_bench.serving.report import ServingReport, brief, headline, saturation
from empgan_rt.errors import InputError
from support.serving_reports import make_plan, make_serving_report

PLAN = make_plan(rates=(5.0, 50.0), beams=(1, 5), requests=40, warmup=2, goodput=["e2e_ms<9"])


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)


@pytest.fixture(scope="module")
def report():
    return make_serving_report(PLAN, total_ms=lambda item: 8.0)


def falling_behind(rate):
    """Return a report in which our engine answers ever more slowly, at every rate."""
    state = {"ms": 0.0}

    def total_ms(item):
        state["ms"] += 100.0
        return state["ms"]

    return make_serving_report(make_plan(rates=(rate,), requests=40), total_ms=total_ms)


def written(report, folder):
    return write(report, render_markdown(report), render_page(report), folder)


def test_the_json_holds_every_event_and_can_be_read_again(report, tmp_path):
    paths = written(report, tmp_path)
    assert [path.name for path in paths] == list(FILES)
    found = msgspec.json.decode(paths[0].read_bytes(), type=ServingReport)
    assert found == report
    raw = msgspec.json.decode(paths[0].read_bytes())
    assert raw["plan"]["kind"] == "serve"
    visit = raw["outcome"]["visits"][0]
    assert visit["cell"]["rate_per_s"] == 5.0
    assert (len(visit["warmup"]), len(visit["requests"])) == (2, 20)
    event = visit["requests"][0]
    assert event["sent_ms"] == event["scheduled_ms"]
    assert [piece["tokens"] for piece in event["pieces"]] == [1, 2]
    assert (event["outcome"], event["tokens"]) == ("answered", 3)


def test_the_first_table_has_a_line_for_each_engine_and_rate(report):
    lines = render_markdown(report).splitlines()
    assert lines[2].startswith("| requests/s | beam | engine | replies |")
    table = [line.split(" | ") for line in lines[4 : lines.index("", 3)]]
    assert len(table) == 2 * 2 * 2
    assert table[0][0] == "| 5"
    assert table[0][2:5] == ["eager", "equal", "10.00 [10.00, 10.00]"]
    assert table[1][2:7] == ["onnxruntime", "equal", "8.00 [8.00, 8.00]", "8.00", "100.0%"]
    assert table[0][6] == "0.0%"  # eager's 10 ms exceed the bound


def test_headline_and_json_tell_the_same(report, tmp_path):
    assert headline(report).splitlines()[1] == (
        "onnxruntime, 5 requests/s, beam 1: p50 8.0 ms, p95 8.0 ms, first text p50 4.0 ms, "
        "goodput 100.0%"
    )
    told = brief(report, tmp_path)
    assert told["kind"] == "serve"
    assert told["passed"]
    assert [row["engine"] for row in told["rows"][:2]] == ["eager", "onnxruntime"]
    assert told["rows"][1]["goodput"] == 1.0
    assert msgspec.json.decode(msgspec.json.encode(told))["rows"][1]["e2e_ms"]["p50"] == 8.0


def test_the_rate_at_which_an_engine_falls_behind_is_named(report):
    assert "onnxruntime, beam 1: kept up with 5, 50 requests/s, the most that was offered" in (
        saturation(report.outcome.rows)
    )
    slow = falling_behind(5.0)
    assert saturation(slow.outcome.rows) == [
        "eager, beam 1: kept up with 5 requests/s, the most that was offered",
        "onnxruntime, beam 1: kept up with no rate, saturated at 5",
    ]
    assert "saturated at 5" in render_markdown(slow)
    assert "saturated at 5" in render_page(slow)


def test_a_failed_gate_hides_the_numbers_behind_it(tmp_path):
    report = make_serving_report(PLAN, reply=[7, 3])
    line = headline(report).splitlines()[1]
    assert line == "onnxruntime, 5 requests/s, beam 1: FAILED: 22 of 22 replies differ"
    assert "## Replies that differ" in render_markdown(report)
    assert '<tr class="failed">' in render_page(report)
    assert not brief(report, tmp_path)["passed"]


def test_the_page_loads_nothing_and_holds_its_plots():
    page = render_page(make_serving_report(PLAN, command="<script>alert(1)</script>"))
    assert "default-src 'none'" in page
    assert "<script>alert(1)" not in page
    body = page[page.index("</head>") :]
    assert (
        len(re.findall(r"Plotly\.newPlot\(", body)) == 2 + 2 + 4 + 4
    )  # beams, beams, cells, cells
    assert not re.findall(r"<(?:link|img|script)[^>]+(?:src|href)=", body)


def test_compare_refuses_it_and_says_why(report, tmp_path):
    path = written(report, tmp_path)[0]
    with pytest.raises(InputError, match="is a report of `bench serve`") as caught:
        read_report(path)
    assert "bench latency" in caught.value.hint
