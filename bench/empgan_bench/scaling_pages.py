"""A scaling report as Markdown and as one offline page."""

from __future__ import annotations

from html import escape

from .growth_text import sentence
from .markdown import table
from .page import document, html_plot, html_table
from .report import circumstances
from .scaling_plots import growth_curves, stage_stack
from .scaling_report import ScalingReport, axis_table, method


def render_markdown(report: ScalingReport) -> str:
    """Return the report for people: what is to be said of each axis, then its table."""
    parts = [
        f"# {_title(report)}",
        "\n".join(f"**FAILED** {failure}  " for failure in report.failures),
        "\n".join(f"**Note** {warning}  " for warning in report.warnings),
    ]
    for axis in report.plan.axes:
        told = "\n".join(f"- {line}" for line in _sentences(report, axis))
        parts += [f"## {axis}", told, table(*axis_table(report, axis))]
    parts += ["## Method", method(report), "## Circumstances", table(*circumstances(report))]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_page(report: ScalingReport) -> str:
    """Return the page: sentences, both plots and the table of each axis, then circumstances."""
    body = [f"<h1>{escape(_title(report))}</h1>"]
    body += [f'<p class="failed">FAILED {escape(text)}</p>' for text in report.failures]
    body += [f'<p class="note">{escape(text)}</p>' for text in report.warnings]
    for axis in report.plan.axes:
        body.append(f"<h2>{axis}</h2>")
        body += [f"<p>{escape(line)}</p>" for line in _sentences(report, axis)]
        body += [html_plot(growth_curves(report, axis)), html_plot(stage_stack(report, axis))]
        body.append(html_table(*axis_table(report, axis)))
    body += [f"<h2>Method</h2><p>{escape(method(report))}</p>"]
    body += ["<h2>Circumstances</h2>", html_table(*circumstances(report), kind="scroll wide")]
    return document(_title(report), body)


def _title(report: ScalingReport) -> str:
    return f"scaling of bundle {report.fingerprint.bundle_id}"


def _sentences(report: ScalingReport, axis: str) -> list[str]:
    return [sentence(growth) for growth in report.growths if growth.axis == axis]
