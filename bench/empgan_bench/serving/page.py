"""A report of what was served, as Markdown and as one offline HTML file."""

from __future__ import annotations

from collections.abc import Mapping

from ..batches.tables import difference_table
from ..measuring.gate import Cell, Verdict
from ..reports import markdown
from ..reports.page import Card, Line, Page, Plots, equal_replies, rendered
from ..reports.theme import Look, number
from . import plots
from .report import ServingReport, load_table, method, saturation, time_table
from .summary import ServedRow


def render_markdown(report: ServingReport) -> str:
    """Return the report for people; its first table has a line for each engine and rate."""
    outcome = report.outcome
    parts = [
        markdown.table(*load_table(outcome)),
        "\n".join(f"{line}.  " for line in saturation(outcome.rows)),
        markdown.marks(outcome.failures, outcome.warnings),
        "## Times in ms",
        markdown.table(*time_table(outcome.rows)),
    ]
    if outcome.differences:
        differences = markdown.table(*difference_table(outcome.differences))
        parts += ["## Replies that differ", differences]
    return markdown.text(report, report.plan.kind, parts, method(report))


def render_page(report: ServingReport) -> str:
    """Return the page: a card for each rate and beam, then plots, tables and the rest."""
    outcome = report.outcome
    styles = plots.engine_looks(outcome)
    first = outcome.rows[0].engine
    passed = (v for v in outcome.verdicts if v.engine != first and v.contexts)
    shown = Page(
        title=f"Serving of {report.bundle}",
        passed=equal_replies(passed),
        cards=(
            "End-to-end latency by load",
            [_card(report, cell, styles) for cell in report.plan.cells()],
        ),
        looks=styles,
        plots=_plots(report),
        tables={
            "Load": load_table(outcome),
            "Times in ms": time_table(outcome.rows),
            "Replies that differ": difference_table(outcome.differences),
        },
        method=method(report),
    )
    return rendered(report, shown)


def _card(report: ServingReport, cell: Cell, styles: Mapping[str, Look]) -> Card:
    """Return how each engine answered at one rate."""
    outcome = report.outcome
    pairs = zip(outcome.rows, outcome.verdicts, strict=True)
    lines = [_line(row, verdict, styles[row.engine]) for row, verdict in pairs if row.cell == cell]
    return Card(plots.cell_title(cell), lines, "median from when a request was due")


def _line(row: ServedRow, verdict: Verdict, look: Look) -> Line:
    if not verdict.passed:
        why = str(verdict).removeprefix("FAILED: ")
        return Line(row.engine, "FAILED", [why], look, failed=True)
    doubt = ("saturated", "doubt") if row.saturated else None
    good = f"goodput {row.goodput:.0%}"
    if row.e2e_ms is None:
        return Line(row.engine, "–", ["nothing was answered", good], look, doubt)
    p95 = row.e2e_ms.p95
    facts = ["too few for p95" if p95 is None else f"p95 {number(p95)} ms", good]
    return Line(row.engine, f"{number(row.e2e_ms.p50)} ms", facts, look, doubt)


def _plots(report: ServingReport) -> list[Plots]:
    outcome = report.outcome
    return [
        Plots(
            "latency-over-rate",
            "Latency against offered rate",
            "End to end. Solid: median; dashed: 95th percentile; dotted: 99th, where there are "
            "enough requests. Both axes are logarithmic.",
            plots.latency_over_rate(outcome),
            saturation(outcome.rows),
        ),
        Plots(
            "goodput-over-rate",
            "Goodput against offered rate",
            "Solid: share of the requests that were good; dotted: that was answered.",
            plots.goodput_over_rate(outcome),
        ),
        Plots(
            "percentiles",
            "Latency, from best to worst",
            "Share of the answered requests that took at most so many ms (logarithmic), end to "
            "end.",
            plots.percentiles(outcome),
        ),
        Plots(
            "timeline",
            "Latency over the run",
            "End to end, by when a request was due. Faint: warm-up, which no statistic counts.",
            plots.timeline(outcome),
        ),
    ]
