import json
import re
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from empgan_bench.batches.comparison import read_report
from empgan_bench.cli import commands, values
from empgan_bench.measuring import bench, stats, timing
from empgan_bench.reports.files import FILES, write
from empgan_bench.scaling import run
from empgan_bench.scaling.page import render_markdown, render_page
from empgan_bench.scaling.plan import AXES, Axis
from empgan_bench.scaling.report import brief, headline
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import Limits
from empgan_rt.errors import DependencyError, EmpganError, GateError, InputError
from support.bench_engines import write_text_bundle
from support.bench_reports import FEW_RESAMPLES
from support.scaling_runs import run_scaling
from support.toy_bundle import MODEL, make_toy_bundle, write_staging


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_text_bundle(tmp_path_factory.mktemp("bundles") / "toy.empgan")


@pytest.fixture(autouse=True)
def _short_axes(monkeypatch):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
    monkeypatch.setattr(stats, "_RESAMPLES", FEW_RESAMPLES)
    monkeypatch.setitem(AXES, "batch", Axis((4, 16), 1, "dialogues in a batch"))
    monkeypatch.setitem(AXES, "beam", Axis((1, 10), 1, "hypotheses of a dialogue"))
    monkeypatch.setitem(AXES, "vocabulary", Axis((30, 60), 1, "words of the model"))


@pytest.fixture
def exporter(monkeypatch):
    """Put toy bundles in the place of exported ones; return the folders that were asked for."""
    folders = []

    def write(opened, words, folder):
        folders.append(folder)
        return make_toy_bundle(folder, replace(MODEL, vocabulary_size=words))

    monkeypatch.setattr(run, "_exporter", lambda: write)
    return folders


def along(report, axis):
    return [p.place.value for p in report.outcome.points if p.place.axis == axis]


def test_every_axis_is_measured_with_what_it_varies(bundle, exporter, monkeypatch):
    report = run_scaling(monkeypatch, bundle, tuple(AXES))
    assert along(report, "batch") == [4, 8, 16, 8]
    assert along(report, "turns") == [1, 2, 4, 8, 16, 30, 4]
    assert along(report, "vocabulary") == [
        MODEL.vocabulary_size,
        30,
        60,
        MODEL.vocabulary_size,
    ]
    assert along(report, "threads") == [1, 2, 4, 2]
    # The costs are those of what reached the workers, so they are linear only if all did.
    assert len(report.outcome.growths) == 2 * len(AXES)
    for growth in report.outcome.growths:
        assert [s.kind for s in growth.stretches] == ["linear"], growth.axis
        assert growth.stretches[0].exponent.value == pytest.approx(AXES[growth.axis].ideal)
        assert growth.drift == pytest.approx(0.0)
    assert report.outcome.failures == []
    assert [engine.name for engine in report.engines] == ["onnxruntime", "eager"]


def test_temporary_models_are_gone_afterwards(bundle, exporter, monkeypatch):
    run_scaling(monkeypatch, bundle, ("vocabulary",))
    assert len(exporter) == 2
    assert not any(folder.parent.exists() for folder in exporter)


def test_a_stage_that_bends_is_named(bundle, monkeypatch):
    def costs(setting):
        return 1.0, setting.batch * 2.0, setting.batch * max(1.0, setting.batch / 8)

    report = run_scaling(monkeypatch, bundle, ("batch",), costs)
    assert all("mainly in the search" in line for line in headline(report).splitlines())
    assert {growth.bends_at for growth in report.outcome.growths} == {8}


def test_turns_beyond_the_limit_are_told(tmp_path, monkeypatch):
    folder = tmp_path / "short.empgan"
    fields = replace(write_staging(folder), limits=Limits(max_turns=6))
    Bundle.seal(folder, fields)
    report = run_scaling(monkeypatch, folder, ("turns",))
    assert [p.turns_read for p in report.outcome.points] == [1, 2, 4, 6, 6, 6, 4]
    growth = report.outcome.growths[0]
    assert (growth.stretches[-1].last, growth.turns_read) == (4, 6)
    assert "from 8 on it is that of 6 turns" in headline(report)


def test_other_replies_fail_at_their_place(bundle, monkeypatch):
    report = run_scaling(monkeypatch, bundle, ("beam",), replies={"onnxruntime": [9, 9]})
    assert report.outcome.failures[0] == "onnxruntime, beam 1: FAILED: 64 of 64 replies differ"
    assert report.outcome.points[0].differences[0].found == [9, 9]
    assert "FAILED" in headline(report)
    assert "FAILED" in render_markdown(report)


def test_drift_and_repeated_turns_are_told(bundle, monkeypatch):
    seen = []

    def costs(setting):
        seen.append(setting)
        return 1.0, setting.beam * (1.0 + len(seen) / 100), 1.0

    report = run_scaling(monkeypatch, bundle, ("beam",), costs, batch=700, turns=4)
    assert any(text.startswith("drift: on 2 of 2 axes") for text in report.outcome.warnings)
    assert any("too few turns: at beam 1 " in text for text in report.outcome.warnings)


def test_the_files_hold_raw_samples_tables_and_plots(bundle, monkeypatch, tmp_path):
    report = run_scaling(monkeypatch, bundle, ("batch", "beam"))
    markdown, page = render_markdown(report), render_page(report)
    paths = write(report, markdown, page, tmp_path)
    assert [path.name for path in paths] == list(FILES)
    saved = json.loads(paths[0].read_text())
    assert saved["plan"]["kind"] == "scaling"
    assert saved["outcome"]["points"][0]["series"][0]["visits"][0]["timings"][0]["total_ms"] > 0
    head = "| dialogues in a batch | engine | ms a dialogue [95 %] |"
    assert head in markdown
    assert markdown.index("## batch") < markdown.index("cost grows linearly") < markdown.index(head)
    body = page[page.index("</head>") :]
    assert len(re.findall(r"Plotly\.newPlot\(", body)) == 6
    assert "if linear from the base point" in body
    assert {g["axis"] for g in brief(report, tmp_path)["growth"]} == {"batch", "beam"}
    with pytest.raises(InputError, match="is a report of `bench scaling`"):
        read_report(paths[0])


def invoke(*arguments):
    """Return click's result; an EmpganError is raised, as `empgan_rt.cli.main` gets it."""
    result = CliRunner().invoke(commands.bench, arguments)
    if isinstance(result.exception, EmpganError):
        raise result.exception
    return result


@pytest.fixture
def use(monkeypatch):
    """Let the command's engine names stand for fakes."""

    def put(**openers):
        table = {name: f"support.bench_engines:{function}" for name, function in openers.items()}
        monkeypatch.setattr(values, "ENGINES", {"cpu": table})
        monkeypatch.setattr(bench, "eager_rescore", lambda bundle: None)

    return put


def test_the_command(bundle, use, tmp_path):
    use(onnxruntime="open_plain", eager="open_plain")
    out = tmp_path / "out"
    result = invoke(
        *("scaling", str(bundle), "--axis", "beam", "--batch", "2", "--warmup", "0"),
        *("--min-time", "0", "--threads", "1", "--out", str(out), "--json"),
    )
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown["passed"] is True
    assert [(g["engine"], g["values"]) for g in shown["growth"]] == [
        ("eager", [1, 5, 10]),
        ("onnxruntime", [1, 5, 10]),
    ]
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    with pytest.raises(InputError, match="bench scaling"):
        invoke("compare", str(out / "report.json"), str(out / "report.json"))


def test_a_failed_gate_ends_with_its_exit_code_after_the_report(near, bundle, use, tmp_path):
    use(onnxruntime="open_other", eager="open_plain")
    arguments = ("--axis", "beam", "--batch", "1", "--warmup", "0", "--min-time", "0")
    out = tmp_path / "out"
    with pytest.raises(GateError, match="onnxruntime, beam 1: FAILED") as caught:
        invoke("scaling", str(bundle), *arguments, "--threads", "1", "--out", str(out))
    assert caught.value.exit_code == 6
    assert (out / "report.html").is_file()


@pytest.mark.parametrize("axis", ["depth", "", "batch,,beam"])
def test_an_unknown_axis_is_refused(bundle, axis):
    with pytest.raises(InputError, match="axis") as caught:
        invoke("scaling", str(bundle), "--axis", axis)
    assert "vocabulary" in caught.value.hint


def test_a_missing_export_extra_is_named_before_anything_is_measured(bundle, monkeypatch):
    monkeypatch.delitem(sys.modules, "empgan_bench.scaling.resized", raising=False)
    monkeypatch.setitem(sys.modules, "empgan_export.variants", None)
    with pytest.raises(DependencyError, match="is not installed") as caught:
        run_scaling(monkeypatch, bundle, ("batch", "vocabulary"))
    assert "empgan-rt[export]" in caught.value.hint
    assert run_scaling(monkeypatch, bundle, ("batch",)).outcome.failures == []
