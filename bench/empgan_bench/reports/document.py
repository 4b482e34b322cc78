"""The page of every kind of report: one HTML file that loads nothing, and its policy forbids it to.

Its order is the same in all: what was measured where, headline figures, plots, tables,
circumstances, method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ..measuring.circumstances import Circumstances
from ..measuring.gate import Verdict
from .elements import NOTHING, rendered, section, table
from .tables import Table, circumstances

_SHOWN_FAILURES = 4  # more are folded; the cards have them too


def document(title: str, parts: Iterable[Markup]) -> str:
    """Return a whole page."""
    plotly = Markup(get_plotlyjs())  # no value of a report is in it
    return rendered("document", title=title, plotly=plotly, parts=parts)


def masthead(
    report: Circumstances,
    title: str,
    passed: Iterable[str],
    failures: Sequence[str],
    warnings: Sequence[str],
) -> Markup:
    """Return what was measured where, and what holds, what is wrong and what is doubtful."""
    f, workload = report.fingerprint, report.workload
    facts = (
        f"Bundle {f.bundle_id} · {workload.contexts} contexts ({workload.source}) · {f.threads} "
        f"thread{'' if f.threads == 1 else 's'} on {f.cores_allowed} of {f.cores} cores · {f.cpu}"
        f"{'' if f.gpu is None else f' · {f.gpu.name}'}"
    )
    return rendered(
        "masthead",
        title=title,
        facts=facts,
        passed=passed,
        failures=failures,
        shown=len(failures) <= _SHOWN_FAILURES,
        warnings=warnings,
    )


def equal_replies(verdicts: Iterable[Verdict]) -> list[str]:
    """Return what is said if the gate has let exact engines pass; nothing if there was none."""
    exact = any(not verdict.approximate for verdict in verdicts)
    return ["Every exact engine wrote the reference's replies."] if exact else []


def closing(report: Circumstances, tables: Mapping[str, Table], method: str) -> Markup:
    """Return everything in figures, by title, then the circumstances and the method."""
    parts = [section(title, table(*found)) for title, found in tables.items() if found[1]]
    parts.append(section("Circumstances", table(*circumstances(report), kind="scroll facts-table")))
    parts.append(section("Method", rendered("prose", text=method)))
    return NOTHING.join(parts)
