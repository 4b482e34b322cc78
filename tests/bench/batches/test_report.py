import functools
import json
from html import unescape
from html.parser import HTMLParser

import msgspec
import pytest

from empgan_bench.batches import plots
from empgan_bench.batches.page import render_markdown, render_page
from empgan_bench.batches.report import brief, headline
from empgan_bench.batches.summary import STAGES
from empgan_bench.measuring import timing
from empgan_bench.measuring.stats import summarise
from empgan_bench.reports import files
from empgan_bench.reports.files import FILES
from empgan_rt.errors import StorageError
from empgan_rt.storage.file_set import replace_together
from support.bench_engines import ScriptedWorker
from support.bench_reports import make_report, report_of
from support.kills import kills


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


@functools.cache
def page_of(*kind, **changes):
    """Return the page of `make_report`; to draw one takes long."""
    return render_page(make_report(*kind, **changes))


def write(folder):
    report = make_report()
    return files.write(report, render_markdown(report), page_of(), folder)


def test_all_files_are_written_and_replace_older_ones(tmp_path):
    for _ in range(2):
        paths = write(tmp_path)
    assert [path.name for path in paths] == list(FILES)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_a_kill_while_a_report_is_replaced_mixes_no_two_runs(tmp_path):
    made = {run: make_report(command=f"bench --{run}") for run in ("old", "new")}
    texts = {
        run: (report, render_markdown(report), page_of(command=f"bench --{run}"))
        for run, report in made.items()
    }
    seen = set()
    for killed in kills(
        lambda: files.write(*texts["new"], tmp_path), files.write, replace_together
    ):
        files.write(*texts["old"], tmp_path)
        killed()
        there = [tmp_path / name for name in FILES if (tmp_path / name).exists()]
        told = [{run for run in made if f"bench --{run}" in path.read_text()} for path in there]
        assert there[0].name == "report.json"
        assert told in ([{run}] * len(there) for run in made)
        seen.add((len(there), *told[0]))
    assert seen >= {(3, "old"), (1, "old"), (1, "new"), (3, "new")}


def test_json_holds_raw_samples_warm_up_and_circumstances(tmp_path):
    write(tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["schema_version"] == "1.2"
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


def test_where_the_time_goes_is_in_json_and_markdown(tmp_path):
    write(tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())["outcome"]
    assert len(found["breakdowns"]) == len(found["rows"])
    first = found["breakdowns"][0]
    assert (first["encode_ms"], first["step_ms"]) == (2.0, 7.0)
    assert first["tokenise_ms"] > 0
    assert len(found["text"]) == 8
    text = (tmp_path / "report.md").read_text()
    section = text.split("## Where the time goes")[1]
    head, _, row = section.splitlines()[2:5]
    assert head.split(" | ")[4:] == [*STAGES, "whole |"]
    assert row.startswith("| 1 | 1 | fixed | eager | ")
    assert "worda" not in text + json.dumps(found)  # none of the contexts' words


def test_the_cold_start_has_its_section_with_goals():
    section = render_markdown(make_report()).split("## Cold start")[1]
    head, _, row, goal = section.splitlines()[2:6]
    assert head.startswith("| engine | n | import empgan_rt, ms")
    assert (
        row
        == "| onnxruntime | 3 | 140 [130, 150] | 200 [190, 210] | 25 [20, 30] | 450 [430, 470] |"
    )
    assert goal == "| goal, at most |  | 150 |  |  | 1000 |"


def test_a_report_without_stages_is_still_shown():
    report = make_report()
    outcome = msgspec.structs.replace(report.outcome, text=[], breakdowns=[])
    older = msgspec.structs.replace(report, outcome=outcome, cold_starts=[])
    for page in (render_markdown(older), render_page(older)):
        assert "Where the time" not in page
        assert "Cold start" not in page
        assert "fresh Python process" not in page


def test_headline_names_every_cell():
    report = make_report()
    assert len(headline(report).splitlines()) == 8
    assert headline(report).startswith("onnxruntime against eager, batch 1, beam 1, fixed length")


def test_a_failed_gate_shows_in_every_form(tmp_path):
    report = make_report(reply=(7, 3))
    assert "FAILED" in headline(report).splitlines()[0]
    assert "FAILED" in render_markdown(report).splitlines()[4]
    assert "1.67×" not in render_markdown(report)
    page = render_page(report)
    assert '<tr class="failed">' in page
    assert '<dd class="figure failed">FAILED</dd>' in page
    assert all(not panel.figure.data for panel in plots.ratios(report.outcome))
    assert brief(report, tmp_path)["passed"] is False
    assert brief(report, tmp_path)["ratios"][0]["replies_equal"] is False


@pytest.mark.parametrize("kind", ["latency", "throughput"])
def test_page_loads_nothing_and_holds_its_plots(kind):
    page = page_of() if kind == "latency" else page_of(kind)
    links = _Links()
    links.feed(page)
    assert links.loaded == []
    assert {"link", "img"}.isdisjoint(links.tags)
    assert "default-src 'none'; script-src 'unsafe-inline'; style-src" in links.policy
    assert "Plotly" in page[: page.index("</head>")]
    body = page[page.index("</head>") :]
    cells = 8 if kind == "latency" else 4
    for name in ("ratios", "stages", "percentiles", "iterations"):
        assert _section(page, name).count("Plotly.newPlot(") == cells
    assert _section(page, "throughput").count("Plotly.newPlot(") == cells // 2
    assert body.count('class="legend"') == 1
    assert body.count("<article") == cells + 1  # a card for each, and one for the cold start


def _section(page, name):
    return page.split(f'<section id="{name}">')[1].split("</section>")[0]


def test_headline_figures_come_before_any_chart():
    page = page_of()
    assert page.index("1.67×") < page.index("Plotly.newPlot(", page.index("</head>"))
    assert page.count('class="tag doubt">noisy') == 8  # the fake's two visits differ
    section = _section(page, "cold-start")
    assert "140 ms" in section
    assert 'class="tag good">goal 150 ms' in section
    slow = msgspec.structs.replace(make_report().cold_starts[0], import_ms=summarise([151.0]))
    page = render_page(msgspec.structs.replace(make_report(), cold_starts=[slow]))
    assert 'class="tag doubt">goal 150 ms' in _section(page, "cold-start")


def test_page_escapes_what_it_did_not_write():
    page = page_of(command="<script>alert(1)</script>")
    assert "A &lt;fast&gt; CPU" in page
    assert "<script>alert(1)" not in page
    named = msgspec.structs.replace(make_report(), bundle="<b>&name")
    page = render_page(named)
    assert "Latency of &lt;b&gt;&amp;name" in page
    assert "<b>" not in page
    cold = msgspec.structs.replace(named.cold_starts[0], engine="<i>x")
    assert "<i>x" not in render_page(msgspec.structs.replace(named, cold_starts=[cold]))


def test_one_engine_alone_has_a_report_without_ratio():
    report = make_report(engines=1)
    assert "there is no ratio" in render_markdown(report)
    assert "there is no ratio" in render_page(report)
    assert "there is no ratio" in headline(report)


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"report\.json cannot be written"):
        write(tmp_path / "file")


def test_what_a_device_measured_is_shown_where_it_did(tmp_path):
    workers = [
        ScriptedWorker("eager", [], on_device=True),
        ScriptedWorker("onnxruntime", [], total_ms=lambda item: 4.0),
    ]
    report = report_of(workers, device="cuda")
    files.write(report, render_markdown(report), render_page(report), tmp_path)
    text = (tmp_path / "report.md").read_text()
    head, _, first, second = text.split("## Times")[1].splitlines()[2:6]
    assert head.endswith("| idle | encode on device | step on device |")
    assert first.endswith("| 1.000 | 3.500 |")
    assert second.endswith("| not measured | not measured |")
    page = (tmp_path / "report.html").read_text()
    for shown in (text, page):
        assert "events in the engine's stream" in unescape(shown)
        assert "by cuBLAS" not in shown  # there is no floor
        assert "81,559 MiB, driver 580.1, CUDA 13.0" in shown
    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved["plan"]["device"] == "cuda"
    rows = {row["engine"]: row for row in saved["outcome"]["rows"]}
    assert rows["eager"]["device_step_ms"]["p50"] == 3.5
    assert rows["onnxruntime"]["device_step_ms"] is None
    timings = saved["outcome"]["series"][1]["visits"][0]["timings"]
    assert "device_step_ms" not in timings[0]


def test_on_the_cpu_no_report_speaks_of_a_device():
    text = render_markdown(make_report())
    assert "on device" not in text
    assert "GPU" not in text


def test_the_floor_of_a_gpu_says_what_it_is():
    workers = [ScriptedWorker("eager", []), ScriptedWorker("floor", [], reply=lambda item: [])]
    assert "by cuBLAS as CUDA graphs" in render_markdown(report_of(workers, device="cuda"))
    assert "in ONNX Runtime" in render_markdown(report_of(workers))
