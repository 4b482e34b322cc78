"""The page of every kind of report: one HTML file that loads nothing, and its policy forbids it to.

Its order is the same in all: what was measured where, headline figures, plots, tables,
circumstances, method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from plotly.offline import get_plotlyjs

from ..measuring.circumstances import Circumstances
from ..measuring.gate import Verdict
from .elements import section, table
from .tables import Table, circumstances

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_SHOWN_FAILURES = 4  # more are folded; the cards have them too
_STYLE = Path(__file__).with_name("page.css")


def document(title: str, parts: Iterable[str]) -> str:
    """Return a whole page; the parts are HTML, the title is not."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE.read_text('utf-8')}</style>"
        f"<script>{get_plotlyjs()}</script></head><body>{''.join(parts)}</body></html>\n"
    )


def masthead(
    report: Circumstances,
    title: str,
    passed: Iterable[str],
    failures: Sequence[str],
    warnings: Sequence[str],
) -> str:
    """Return what was measured where, and what holds, what is wrong and what is doubtful."""
    f, workload = report.fingerprint, report.workload
    facts = (
        f"Bundle {f.bundle_id} · {workload.contexts} contexts ({workload.source}) · {f.threads} "
        f"thread{'' if f.threads == 1 else 's'} on {f.cores_allowed} of {f.cores} cores · {f.cpu}"
        f"{'' if f.gpu is None else f' · {f.gpu.name}'}"
    )
    if failures:
        lines = "<br>".join(map(escape, failures))
        shown = " open" if len(failures) <= _SHOWN_FAILURES else ""
        marks = (
            f'<li class="failed"><details{shown}><summary>FAILED: {len(failures)} gates</summary>'
            f"{lines}</details></li>"
        )
    else:
        marks = "".join(f'<li class="good">{escape(text)}</li>' for text in passed)
    marks += "".join(f'<li class="doubt">{escape(text)}</li>' for text in warnings)
    return (
        f'<header><p class="kicker">empgan-rt bench</p><h1>{escape(title)}</h1>'
        f'<p class="facts">{escape(facts)}</p><ul class="marks">{marks}</ul></header>'
    )


def equal_replies(verdicts: Iterable[Verdict]) -> list[str]:
    """Return what is said if the gate has let exact engines pass; nothing if there was none."""
    exact = any(not verdict.approximate for verdict in verdicts)
    return ["Every exact engine wrote the reference's replies."] if exact else []


def closing(report: Circumstances, tables: Mapping[str, Table], method: str) -> str:
    """Return everything in figures, by title, then the circumstances and the method."""
    parts = [section(title, table(*found)) for title, found in tables.items() if found[1]]
    parts.append(section("Circumstances", table(*circumstances(report), kind="scroll facts-table")))
    parts.append(section("Method", f'<p class="prose">{escape(method)}</p>'))
    return "".join(parts)
