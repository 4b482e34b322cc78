"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from .report import (
    Report,
    circumstances,
    difference_table,
    headline,
    method,
    ratio_table,
    row_table,
)
from .standing_text import settings_table, standing_table


def render_markdown(report: Report) -> str:
    """Return the report for people; its first table is the ratio."""
    outcome = report.outcome
    parts = [
        f"# {report.plan.kind} of bundle {report.fingerprint.bundle_id}",
        table(*ratio_table(outcome.ratios)) if outcome.ratios else headline(report),
        table(*standing_table(outcome.standings)) if outcome.standings else "",
        "\n".join(f"**FAILED** {failure}  " for failure in outcome.failures),
        "\n".join(f"**Note** {warning}  " for warning in outcome.warnings),
        "## Times",
        table(*row_table(outcome.rows)),
        "ms; total, encode, step and search are medians of a batch; the interval is that of the "
        "median (95 %, bootstrap). First token: the end of the first decoder step. Per token: a "
        "decoder step with its search, without the first one. p99 needs 1,000 samples. Noise: an "
        "engine against itself. Idle: cores used while the other ran.",
    ]
    settings = settings_table(outcome.series)
    if settings[1]:
        parts += ["## What peers were tuned to", table(*settings)]
    if outcome.differences:
        parts += ["## Replies that differ", table(*difference_table(outcome.differences))]
    parts += ["## Method", method(report), "## Circumstances", table(*circumstances(report))]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(c.replace('|', '/') for c in line)} |" for line in lines)
