"""What sections have come to, and the report that all of them make: JSON, and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from empgan_bench.reports.markdown import table
from empgan_rt.storage.file_set import replace_together

Status = Literal["passed", "failed", "skipped"]
Value = str | int | float | None
Figures = Mapping[str, Value]
"""One row of a section's table: column -> value."""
FILES = ("report.json", "report.md")
_LINES = 12  # of what a process said; report.json has more


class Check(msgspec.Struct, frozen=True):
    """One test, what became of it, and why."""

    test: str
    result: Status
    why: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What was found: `reason` has faults and notes, or why it was skipped."""

    status: Status
    reason: str = ""
    figures: list[Figures] = []
    checks: list[Check] = []


class Record(Outcome, frozen=True, kw_only=True):
    """A section: what it proves, how long it took, the last lines it printed if it failed."""

    name: str
    proves: str
    seconds: float
    said: list[str] = []


class Report(msgspec.Struct):
    """Everything in `report.json`, which grows with every section.

    `to_come` names the sections that are not over, the one that is under way first; `machine` has
    what the section `machine` found, by name.
    """

    dry_run: bool
    started: str
    command: str
    limit_s: float | None = None
    machine: dict[str, Value] = {}
    sections: list[Record] = []
    to_come: list[str] = []
    schema_version: str = "2.0"

    @property
    def failures(self) -> list[str]:
        """A line for each section that failed."""
        return [f"{r.name}: {r.reason}" for r in self.sections if r.status == "failed"]


def write(report: Report, folder: Path) -> None:
    """Write both files in place of older ones, as one unit; raises StorageError."""
    raw = msgspec.json.format(msgspec.json.encode(report), indent=1)
    contents = raw, render_markdown(report).encode("utf-8", "replace")
    replace_together(folder, dict(zip(FILES, contents, strict=True)))


def render_markdown(report: Report) -> str:
    """Return the report for people: all sections in one table, then what each has found."""
    dry = ", a dry run" if report.dry_run else ""
    parts = [f"# GPU check: {report.machine.get('GPU', 'no GPU')}{dry}"]
    if report.dry_run:
        parts.append("A rehearsal on the CPU: **nothing here was computed by a GPU.**")
    overview = [[r.name, r.status, r.seconds, r.proves, r.reason] for r in report.sections]
    parts.append(_table(["section", "status", "s", "what it shows", "why, notes"], overview))
    if report.to_come:
        parts.append(f"**The run has not come to** {', '.join(report.to_come)}.")
    within = "" if report.limit_s is None else f", within {report.limit_s:g} s"
    parts.append(f"Begun {report.started}, `{report.command}`{within}.")
    for record in report.sections:
        parts += _section(record)
    return "\n\n".join(parts) + "\n"


def _section(record: Record) -> Iterator[str]:
    others = [[c.test, c.result, c.why] for c in record.checks if c.result != "passed"]
    if record.figures or others or record.said:
        yield f"## {record.name}"
    if record.figures:
        head = list(dict.fromkeys(column for row in record.figures for column in row))
        yield _table(head, [[row.get(column) for column in head] for row in record.figures])
    if others:
        yield _table(["test", "result", "why"], others)
    if record.said:
        yield "Its last lines:"
        yield "\n".join(f"    {line}" for line in record.said[-_LINES:])


def _table(head: list[str], rows: Sequence[Sequence[Value]]) -> str:
    return table(head, [[_shown(value) for value in row] for row in rows])


def _shown(value: Value) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())
