"""A report in a real browser, without a window: drawn, at any width, silent and offline."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from empgan_bench.batches.page import render_page
from empgan_bench.measuring import timing
from empgan_bench.scaling import page as scaling
from empgan_bench.serving import page as serving
from support.bench_engines import write_text_bundle
from support.bench_reports import make_report
from support.scaling_runs import run_scaling
from support.serving_reports import make_plan, make_serving_report

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # not even the browser itself asks anybody
    *("--enable-logging=stderr", "--window-size=1400,900", "--virtual-time-budget=2000"),
)
WIDTHS = (1280, 390, 360)  # px: a screen and two telephones
# The report stands in a frame; this script, outside, looks at it.
LOOK = """
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, root = page.documentElement;
    const figures = {};
    for (const section of page.querySelectorAll("section[id]")) {
      const panels = [...section.querySelectorAll("figure")];
      const inside = (panel, drawing) => {
        const [outer, inner] = [panel, drawing].map(e => e.getBoundingClientRect());
        return outer.left <= inner.left && inner.right <= outer.right
          && outer.top <= inner.top && inner.bottom <= outer.bottom;
      };
      figures[section.id] = {
        panels: panels.length,
        drawn: panels.filter(panel => panel.querySelector(".overplot .trace path")).length,
        outside: panels.filter(panel => !inside(panel, panel.querySelector(".main-svg"))).length,
      };
    }
    const style = element => frame.contentWindow.getComputedStyle(element);
    const tables = [...page.querySelectorAll(".scroll")].map(box => {
      const around = box.getBoundingClientRect();
      box.scrollLeft = 1e5;
      const scrolled = box.scrollLeft;
      box.scrollLeft = 0;
      return {
        inside: around.left >= 0 && around.right <= root.clientWidth,
        hidden: box.scrollWidth - box.clientWidth,
        scrolled,
        shade: style(box).backgroundAttachment.includes("local"),
      };
    });
    const colours = {
      ink: style(page.body).color,
      paper: style(page.body).backgroundColor,
      label: style(page.querySelector(".xtick text")).fill,
    };
    const asked = frame.contentWindow.performance.getEntriesByType("resource").map(e => e.name);
    return {width: root.clientWidth, wide: root.scrollWidth, figures, tables, colours, asked};
  });
  document.body.dataset.found = JSON.stringify(found);
});
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on the path"),
]


def visit(tmp_path: Path, page: str, *options: str) -> tuple[list[dict[str, Any]], str]:
    """Return what is seen of a page at each of WIDTHS, and what the console shows."""
    frames = "".join(
        f'<iframe srcdoc="{html.escape(page)}" width="{width}" height="900"></iframe>'
        for width in WIDTHS
    )
    outer = tmp_path / "outer.html"
    outer.write_text(f"<!doctype html><body>{frames}<script>{LOOK}</script></body>")
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                *(str(BROWSER), *OPTIONS, *options, f"--user-data-dir={profile}"),
                *("--dump-dom", outer.as_uri()),
            ],
            capture_output=True,
            text=True,
            timeout=180,
            check=True,
        )
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found is not None, done.stderr
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(html.unescape(found[1])), console


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)


@pytest.fixture
def page() -> str:
    return render_page(make_report(command="bench latency " + "a-very-long-argument" * 20))


def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return a page of each kind."""
    plan = make_plan(rates=(5.0, 50.0), requests=40, warmup=2)
    bundle = write_text_bundle(tmp_path / "toy.empgan")
    return {
        "throughput": render_page(make_report("throughput")),
        "serve": serving.render_page(make_serving_report(plan)),
        "scaling": scaling.render_page(run_scaling(monkeypatch, bundle, ("batch",))),
    }


def test_every_plot_is_drawn_and_no_width_scrolls_the_page(tmp_path: Path, page: str) -> None:
    assert_drawn(tmp_path, page, 5)


def test_pages_of_other_kinds_likewise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sections = {"throughput": 5, "serve": 4, "scaling": 1}
    for kind, page in pages(tmp_path, monkeypatch).items():
        assert_drawn(tmp_path, page, sections[kind])


def test_tables_scroll_in_their_boxes_and_show_that_they_do(tmp_path: Path, page: str) -> None:
    wide, *narrow = visit(tmp_path, page)[0]
    assert len(wide["tables"]) == page.count('<div class="scroll') > 2
    for view in narrow:
        assert any(table["hidden"] for table in view["tables"])
        for table in view["tables"]:
            assert table["inside"]
            assert table["scrolled"] == table["hidden"]
            assert table["shade"]


def assert_drawn(tmp_path: Path, page: str, sections: int) -> None:
    views, console = visit(tmp_path, page)
    assert console == ""
    for view in views:
        assert view["asked"] == []
        assert view["wide"] == view["width"]
        found = [figure for figure in view["figures"].values() if figure["panels"]]
        assert len(found) == sections
        assert sum(figure["panels"] for figure in found) == page.count("<figure")
        for figure in found:
            assert figure["drawn"] == figure["panels"]
            assert figure["outside"] == 0


def test_light_and_dark(tmp_path: Path, page: str) -> None:
    colours = []
    for scheme in (0, 1):  # Blink's numbers for dark and light
        views, _ = visit(tmp_path, page, f"--blink-settings=preferredColorScheme={scheme}")
        colours.append(views[0]["colours"])
    dark, light = colours
    for name in ("ink", "paper", "label"):
        assert dark[name] != light[name]


@pytest.mark.parametrize("fault", ["console", "network", "width"])
def test_the_check_can_fail(tmp_path: Path, page: str, fault: str) -> None:
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    wrong = {
        "console": page.replace("</body>", "<script>fetch('http://127.0.0.1:9')</script></body>"),
        "network": free.replace("</body>", '<img src="http://127.0.0.1:9/x.png"></body>'),
        "width": page.replace("</body>", '<div style="width:2000px">x</div></body>'),
    }[fault]
    views, console = visit(tmp_path, wrong)
    assert (console != "") is (fault == "console")
    assert (views[0]["asked"] != []) is (fault == "network")
    assert (views[1]["wide"] > views[1]["width"]) is (fault == "width")
