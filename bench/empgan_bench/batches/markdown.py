"""Reports as Markdown."""

from __future__ import annotations

from ..reports.markdown import marks, table, text
from .report import Report, headline
from .standing import settings_table, standing_table
from .tables import cold_table, difference_table, method, ratio_table, row_table, stage_table


def render_markdown(report: Report) -> str:
    """Return the report for people; its first table is the ratio."""
    outcome = report.outcome
    parts = [
        table(*ratio_table(outcome.ratios)) if outcome.ratios else headline(report),
        table(*standing_table(outcome.standings)) if outcome.standings else "",
        marks(outcome.failures, outcome.warnings),
        "## Times",
        table(*row_table(outcome.rows)),
        "ms; total, encode, step and search are medians of a batch; the interval is that of the "
        "median (95 %, bootstrap). First token: the end of the first decoder step. Per token: a "
        "decoder step with its search, without the first one. p99 needs 1,000 samples. Noise: an "
        "engine against itself. Idle: cores used while the other ran.",
    ]
    if outcome.breakdowns:  # reports of version 1.0 have none
        parts += ["## Where the time goes", table(*stage_table(outcome.breakdowns))]
        parts.append("ms per dialogue, medians; whole: their sum, from text to text.")
    if report.cold_starts:
        parts += ["## Cold start", table(*cold_table(report.cold_starts))]
        parts.append("Medians of fresh processes [95 %].")
    settings = settings_table(outcome.series)
    if settings[1]:
        parts += ["## What peers were tuned to", table(*settings)]
    if outcome.differences:
        parts += ["## Replies that differ", table(*difference_table(outcome.differences))]
    return text(report, report.plan.kind, parts, method(report))
