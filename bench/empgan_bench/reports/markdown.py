"""A report in Markdown, whatever it is of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..measuring.fingerprint import Circumstances
from .tables import circumstances


def text(report: Circumstances, kind: str, parts: Iterable[str], told: str) -> str:
    """Return a report of any kind: title, parts, circumstances and how it was measured."""
    title = f"# {kind} of bundle {report.fingerprint.bundle_id}"
    ending = ["## Circumstances", table(*circumstances(report)), "## Method", told]
    return "\n\n".join(part for part in (title, *parts, *ending) if part) + "\n"


def marks(failures: Iterable[str], warnings: Iterable[str]) -> str:
    """Return what is wrong and what is doubtful, a line each."""
    lines = [f"**FAILED** {failure}  " for failure in failures]
    lines += [f"**Note** {warning}  " for warning in warnings]
    return "\n".join(lines)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(c.replace('|', '/') for c in line)} |" for line in lines)
