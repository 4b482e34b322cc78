"""A report of `bench memory`: its table and headline, as Markdown and as one offline page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import plotly.graph_objects as go

from ..reports import markdown, theme
from ..reports.page import Card, Line, Page, Plots, rendered
from ..reports.tables import Table, prose
from ..reports.theme import Look, Panel
from .run import MemoryReport, MemoryRow, share_of_other
from .usage import PHASES


def headline(report: MemoryReport) -> str:
    """Return a line for each engine, and failures."""
    lines = []
    for engine, rows in _by_engine(report).items():
        held = ", ".join(f"{report.plan.told(r.phase)} {r.usage.rss_mib:.1f}" for r in rows)
        share = share_of_other(report.outcome.rows, rows[-1])
        more = "" if share is None else f"; {share:.2f} of the other build's RSS at the end"
        lines.append(f"{engine}: {held} MiB, peak {rows[-1].usage.peak_mib:.1f}{more}")
    lines += [f"FAILED {failure}" for failure in report.outcome.failures]
    return "\n".join(lines)


def brief(report: MemoryReport, folder: Path) -> dict[str, Any]:
    """Return what `--json` prints: the rows, what failed, and where the report lies."""
    return {
        "kind": report.plan.kind,
        "bundle_id": report.fingerprint.bundle_id,
        "failures": report.outcome.failures,
        "warnings": report.outcome.warnings,
        "rows": [
            {
                "engine": row.engine,
                "phase": row.phase,
                "spread_mib": row.spread_mib,
                "of_other_build": share_of_other(report.outcome.rows, row),
            }
            | msgspec.structs.asdict(row.usage)
            for row in report.outcome.rows
        ],
        "report": str(folder),
    }


def memory_table(report: MemoryReport) -> Table:
    """Return head and rows: what each engine holds after each phase, MiB."""
    rows = [
        [row.engine, report.plan.told(row.phase), *(f"{mib:.1f}" for mib in _figures(row))]
        for row in report.outcome.rows
    ]
    head = ["engine", "phase", "RSS", "PSS", "private", "peak", "spread"]
    if report.other_build is not None:
        head.append("of the other build")
        for told, row in zip(rows, report.outcome.rows, strict=True):
            share = share_of_other(report.outcome.rows, row)
            told.append("–" if share is None else f"{share:.2f}")
    return head, rows


def render_markdown(report: MemoryReport) -> str:
    """Return the report for people."""
    outcome = report.outcome
    parts = [
        markdown.table(*memory_table(report)),
        "MiB, medians of processes; spread: the largest RSS less the smallest.",
        markdown.marks(outcome.failures, outcome.warnings),
    ]
    return markdown.text(report, report.plan.kind, parts, _method(report))


def render_page(report: MemoryReport) -> str:
    """Return the page: a card for each engine, then the plot, the table and the rest."""
    engines = _by_engine(report)
    looks = theme.looks(engines)
    shown = Page(
        title=f"Memory of {report.bundle}",
        passed=[f"Kept by every engine: {', '.join(map(str, report.plan.objectives))}."]
        if report.plan.objectives
        else [],
        cards=("Resident memory", [_card(report, rows) for rows in engines.values()]),
        looks=looks,
        plots=[
            Plots(
                "phases",
                "Resident memory by phase",
                "RSS, medians of processes.",
                [*_panels(report, looks)],
            )
        ],
        tables={"Memory in MiB": memory_table(report)},
        method=_method(report),
    )
    return rendered(report, shown)


def _card(report: MemoryReport, rows: list[MemoryRow]) -> Card:
    """Return what an engine holds after each phase."""
    lines = [
        Line(
            report.plan.told(row.phase),
            f"{row.usage.rss_mib:.0f} MiB",
            [f"private {row.usage.private_mib:.0f}", f"peak {row.usage.peak_mib:.0f}"],
        )
        for row in rows
    ]
    return Card(rows[0].engine, lines, f"medians of {len(rows[0].samples)} fresh processes")


def _panels(report: MemoryReport, looks: dict[str, Look]) -> Iterator[Panel]:
    """Yield the RSS of all engines after each phase, a bar each, on one scale."""
    most = max(row.usage.rss_mib for row in report.outcome.rows)
    for phase in PHASES:
        rows = [row for row in report.outcome.rows if row.phase == phase]
        figure = go.Figure()
        figure.add_bar(
            x=[row.usage.rss_mib for row in rows],
            y=[-place for place in range(len(rows))],
            orientation="h",
            width=0.28,
            marker_color=[looks[row.engine].colour for row in rows],
        )
        figure.update_xaxes(title="MiB", range=[0, most])
        values = [f"{row.usage.rss_mib:.0f} MiB" for row in rows]
        names = [row.engine for row in rows]
        yield theme.row_panel(report.plan.told(phase), figure, names, values)


def _by_engine(report: MemoryReport) -> dict[str, list[MemoryRow]]:
    """Return the rows of each engine, in order."""
    found: dict[str, list[MemoryRow]] = {}
    for row in report.outcome.rows:
        found.setdefault(row.engine, []).append(row)
    return found


def _figures(row: MemoryRow) -> list[float]:
    return [*msgspec.structs.astuple(row.usage), row.spread_mib]


def _method(report: MemoryReport) -> str:
    """Return how it was measured, in one paragraph."""
    return prose(
        Path(__file__).with_name("method.txt"),
        plan=report.plan,
        workload=report.workload,
        threads=report.fingerprint.threads,
        other=report.other_build,
    )
