"""A report of what was served, as Markdown and as one offline HTML file."""

from __future__ import annotations

from html import escape

from ..markdown import table
from ..page import document, html_plot, html_table
from ..report import circumstances, difference_table
from .plots import figures
from .report import ServingReport, load_table, method, saturation, time_table


def render_markdown(report: ServingReport) -> str:
    """Return the report for people; its first table has a line for each engine and rate."""
    outcome = report.outcome
    parts = [
        f"# {_title(report)}",
        table(*load_table(outcome)),
        "\n".join(f"{line}.  " for line in saturation(outcome.rows)),
        "\n".join(f"**FAILED** {failure}  " for failure in outcome.failures),
        "\n".join(f"**Note** {warning}  " for warning in outcome.warnings),
        "## Times in ms",
        table(*time_table(outcome.rows)),
    ]
    if outcome.differences:
        parts += ["## Replies that differ", table(*difference_table(outcome.differences))]
    parts += ["## Method", method(report), "## Circumstances", table(*circumstances(report))]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_page(report: ServingReport) -> str:
    """Return the page: what each rate brought first, then plots, times and circumstances."""
    outcome = report.outcome
    title = _title(report)
    body = [f"<h1>{escape(title)}</h1>", html_table(*load_table(outcome))]
    body += [f"<p>{escape(line)}.</p>" for line in saturation(outcome.rows)]
    body += [f'<p class="failed">FAILED {escape(text)}</p>' for text in outcome.failures]
    body += [f'<p class="note">{escape(text)}</p>' for text in outcome.warnings]
    body += ["<h2>Plots</h2>", *(html_plot(figure) for figure in figures(outcome))]
    body += ["<h2>Times in ms</h2>", html_table(*time_table(outcome.rows))]
    if outcome.differences:
        body += ["<h2>Replies that differ</h2>", html_table(*difference_table(outcome.differences))]
    body += [f"<h2>Method</h2><p>{escape(method(report))}</p>"]
    body += ["<h2>Circumstances</h2>", html_table(*circumstances(report), kind="scroll wide")]
    return document(title, body)


def _title(report: ServingReport) -> str:
    return f"serving of bundle {report.fingerprint.bundle_id}"
