"""The report as Markdown, and both of its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from empgan_rt.storage.file_set import replace_together

from ..reports.markdown import table
from .machine import GPU
from .records import Figures, Record, Report, Value

FILES = ("report.json", "report.md")
_LINES = 12  # of what a process said; report.json has more


def write(report: Report, folder: Path) -> None:
    """Write the report, in place of one that was there; its two files are always of one moment.

    Raises:
        StorageError: the disk refused.
    """
    raw = msgspec.json.format(msgspec.json.encode(report), indent=1)
    contents = raw, render_markdown(report).encode("utf-8", "replace")
    replace_together(folder, dict(zip(FILES, contents, strict=True)))


def render_markdown(report: Report) -> str:
    """Return the report for people: all sections in one table, then the figures of each."""
    machine, limit = report.machine, report.limit_s
    dry = ", a dry run" if report.dry_run else ""
    parts = [f"# GPU check: {machine.get(GPU, 'no GPU')}{dry}"]
    if report.dry_run:
        parts.append("A rehearsal on the CPU: **nothing here was computed by a GPU.**")
    parts.append(overview(report))
    if report.to_come:
        parts.append(f"**The run has not come to** {', '.join(report.to_come)}.")
    within = "" if limit is None else f", within {limit:g} s"
    parts.append(f"Begun {report.started}, `{' '.join(report.command)}`{within}.")
    for record in report.sections:
        parts += _section(record)
    return "\n\n".join(parts) + "\n"


def overview(report: Report) -> str:
    """Return the table of all sections."""
    rows = [
        [r.name, r.status, f"{r.seconds:g}", r.proves, _shown(r.reason)] for r in report.sections
    ]
    return table(["section", "status", "s", "what it shows", "why, notes"], rows)


def _section(record: Record) -> Iterator[str]:
    if record.figures or record.said:
        yield f"## {record.name}"
    if record.figures:
        head = list(dict.fromkeys(column for row in record.figures for column in row))
        yield table(head, [_cells(row, head) for row in record.figures])
    if record.said:
        yield "Its last lines:"
        yield "\n".join(f"    {line}" for line in record.said[-_LINES:])


def _cells(row: Figures, head: list[str]) -> list[str]:
    return [_shown(row.get(column)) for column in head]


def _shown(value: Value) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())
