"""One HTML file with everything in it: it loads nothing, and its policy forbids it to."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from plotly.offline import get_plotlyjs

from . import plots
from .report import (
    Report,
    circumstances,
    difference_table,
    method,
    ratio_table,
    row_table,
)
from .standing_text import settings_table, standing_table

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 82rem; padding: 0 1rem;
       color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.86rem; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid #ddd; text-align: left;
         white-space: nowrap; }
.wide td { white-space: normal; overflow-wrap: anywhere; }
.failed { color: #a40000; font-weight: 600; } .note { color: #7a5200; }
"""


def render_page(report: Report) -> str:
    """Return the page: ratios first, then plots, statistics and circumstances."""
    outcome = report.outcome
    title = f"{report.plan.kind} of bundle {report.fingerprint.bundle_id}"
    body = [f"<h1>{escape(title)}</h1>"]
    if outcome.ratios:
        body.append(_table(*ratio_table(outcome.ratios)))
    else:
        body.append("<p>One engine only: there is no ratio.</p>")
    if outcome.standings:
        body.append(_table(*standing_table(outcome.standings)))
    body += [f'<p class="failed">FAILED {escape(text)}</p>' for text in outcome.failures]
    body += [f'<p class="note">{escape(text)}</p>' for text in outcome.warnings]
    body.append("<h2>Plots</h2>")
    body += [_plot(figure) for figure in _figures(report)]
    body += ["<h2>Times in ms</h2>", _table(*row_table(outcome.rows))]
    settings = settings_table(outcome.series)
    if settings[1]:
        body += ["<h2>What peers were tuned to</h2>", _table(*settings)]
    if outcome.differences:
        body += ["<h2>Replies that differ</h2>", _table(*difference_table(outcome.differences))]
    body += [f"<h2>Method</h2><p>{escape(method(report))}</p>"]
    body += ["<h2>Circumstances</h2>", _table(*circumstances(report), kind="scroll wide")]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<script>{get_plotlyjs()}</script></head><body>{''.join(body)}</body></html>\n"
    )


def _figures(report: Report) -> list[Any]:
    outcome = report.outcome
    figures = [plots.ratio_bars(outcome)] if outcome.ratios else []
    if report.plan.kind == "throughput":
        figures.append(plots.throughput_bars(outcome))
    drawn = (plots.stage_stack, plots.latency_ecdf, plots.latency_over_time)
    return figures + [draw(outcome) for draw in drawn]


def _plot(figure: Any) -> str:
    config = {"displaylogo": False, "responsive": True}
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config=config))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "scroll") -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        failed = ' class="failed"' if any(cell.startswith("FAILED") for cell in cells) else ""
        return f"<tr{failed}>{''.join(f'<{tag}>{escape(c)}</{tag}>' for c in cells)}</tr>"

    inner = line(head, "th") + "".join(line(cells, "td") for cells in rows)
    return f'<div class="{kind}"><table>{inner}</table></div>'
