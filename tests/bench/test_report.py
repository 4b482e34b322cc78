import json
import re
from html.parser import HTMLParser

import pytest

from empgan_bench import timing
from empgan_bench.files import FILES, write
from empgan_bench.markdown import render_markdown
from empgan_bench.page import render_page
from empgan_bench.report import brief, headline
from empgan_rt.errors import StorageError
from support.bench_reports import make_report


class _Links(HTMLParser):
    """Collects what a page would load, and the size of its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.policy = ""
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        self.loaded += [values[name] for name in ("src", "href", "data") if values.get(name)]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)


def test_all_files_are_written_and_replace_older_ones(tmp_path):
    for _ in range(2):
        paths = write(make_report(), tmp_path)
    assert [path.name for path in paths] == list(FILES)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_json_holds_raw_samples_warm_up_and_circumstances(tmp_path):
    write(make_report(), tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["schema_version"] == "1.1"
    series = found["outcome"]["series"]
    assert len(series) == 2 * 2 * 2 * 2  # batches, beams, modes, engines
    assert len(series[0]["visits"]) == 2 * 16  # every batch as often
    assert series[0]["visits"][0]["timings"][0]["total_ms"] == 10.0
    assert len(series[0]["warmup"]) == 16 + 2
    assert found["fingerprint"]["load_average"] == 0.5
    assert found["load_average_after"] == 0.75
    assert found["plan"]["batches"] == [1, 8]


def test_first_table_of_the_markdown_is_the_ratio():
    lines = render_markdown(make_report()).splitlines()
    assert "times faster than" in lines[2]
    assert lines[4].startswith("| 1 | 1 | fixed | onnxruntime | eager | 1.67× [1.67, 1.67]")
    assert "0.75" in lines[-4] or any("0.5, 0.75" in line for line in lines)


def test_headline_names_every_cell():
    report = make_report()
    assert len(headline(report).splitlines()) == 8
    assert headline(report).startswith("onnxruntime against eager, batch 1, beam 1, fixed length")


def test_a_failed_gate_shows_in_every_form(tmp_path):
    report = make_report(reply=(7, 3))
    assert "FAILED" in headline(report).splitlines()[0]
    assert "FAILED" in render_markdown(report).splitlines()[4]
    assert "1.67×" not in render_markdown(report)
    assert '<tr class="failed">' in render_page(report)
    assert brief(report, tmp_path)["passed"] is False
    assert brief(report, tmp_path)["ratios"][0]["replies_equal"] is False


@pytest.mark.parametrize("kind", ["latency", "throughput"])
def test_page_loads_nothing_and_holds_its_plots(kind):
    page = render_page(make_report(kind))
    links = _Links()
    links.feed(page)
    assert links.loaded == []
    assert "link" not in links.tags
    assert "default-src 'none'" in links.policy
    plots = len(re.findall(r"Plotly\.newPlot\(", page[page.index("</head>") :]))
    assert plots == (4 if kind == "latency" else 5)
    assert "Plotly" in page[: page.index("</head>")]


def test_page_escapes_what_it_did_not_write():
    page = render_page(make_report(command="<script>alert(1)</script>"))
    assert "A &lt;fast&gt; CPU" in page
    assert "<script>alert(1)" not in page


def test_one_engine_alone_has_a_report_without_ratio():
    report = make_report(engines=1)
    assert "there is no ratio" in render_markdown(report)
    assert "there is no ratio" in render_page(report)
    assert "there is no ratio" in headline(report)


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"report\.json cannot be written"):
        write(make_report(), tmp_path / "file")
