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

from empgan_bench import timing
from empgan_bench.page import render_page
from support.bench_reports import make_report

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FIGURES = ("ratios", "stages", "percentiles", "iterations", "throughput")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # not even the browser itself asks anybody
    *("--enable-logging=stderr", "--window-size=1400,900", "--virtual-time-budget=2000"),
)
# The report stands in a frame and may run nothing; this script, outside, looks at it.
LOOK = """
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, root = page.documentElement;
    const figures = {};
    for (const section of page.querySelectorAll("section[id]")) {
      const shapes = [...section.querySelectorAll("rect, circle, path")];
      const boxes = shapes.map(shape => shape.getBoundingClientRect());
      const panels = [...section.querySelectorAll("figure")].map(p => p.getBoundingClientRect());
      figures[section.id] = {
        panels: panels.length,
        seen: boxes.filter(box => box.width + box.height > 0).length,
        outside: boxes.filter(box => !panels.some(panel => panel.left - 1 <= box.left
          && box.right <= panel.right + 1 && panel.top - 1 <= box.top
          && box.bottom <= panel.bottom + 1)).length,
      };
    }
    const [ink, paper] = ["color", "backgroundColor"].map(
      name => frame.contentWindow.getComputedStyle(page.body)[name]);
    const asked = frame.contentWindow.performance.getEntriesByType("resource").map(e => e.name);
    return {width: root.clientWidth, wide: root.scrollWidth, figures, ink, paper, asked};
  });
  document.body.dataset.found = JSON.stringify(found);
});
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on the path"),
]


def visit(tmp_path: Path, page: str, *options: str) -> tuple[list[dict[str, Any]], str]:
    """Return what is seen of a page 1280 and 360 px wide, and what the console shows."""
    frames = "".join(
        f'<iframe srcdoc="{html.escape(page)}" width="{width}" height="900"></iframe>'
        for width in (1280, 360)
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


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
    return render_page(make_report(command="bench latency " + "a-very-long-argument" * 20))


def test_every_figure_is_drawn_and_no_width_scrolls_the_page(tmp_path: Path, page: str) -> None:
    views, console = visit(tmp_path, page)
    assert console == ""
    for view in views:
        assert view["asked"] == []
        assert view["wide"] == view["width"]
        for name in FIGURES:
            figure = view["figures"][name]
            assert figure["panels"] == (4 if name == "throughput" else 8)
            assert figure["seen"] >= figure["panels"]
            assert figure["outside"] == 0


def test_light_and_dark(tmp_path: Path, page: str) -> None:
    colours = []
    for scheme in (0, 1):  # Blink's numbers for dark and light
        views, _ = visit(tmp_path, page, f"--blink-settings=preferredColorScheme={scheme}")
        colours.append((views[0]["ink"], views[0]["paper"]))
    dark, light = colours
    assert dark[0] != light[0]
    assert dark[1] != light[1]


@pytest.mark.parametrize("fault", ["console", "network", "width"])
def test_the_check_can_fail(tmp_path: Path, page: str, fault: str) -> None:
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    wrong = {
        "console": page.replace("</body>", "<script>alert(1)</script></body>"),
        "network": free.replace("</body>", '<img src="http://127.0.0.1:9/x.png"></body>'),
        "width": page.replace("</body>", '<div style="width:2000px">x</div></body>'),
    }[fault]
    views, console = visit(tmp_path, wrong)
    assert (console != "") is (fault == "console")
    assert (views[0]["asked"] != []) is (fault == "network")
    assert (views[1]["wide"] > views[1]["width"]) is (fault == "width")
