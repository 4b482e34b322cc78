"""One HTML file with everything in it: it loads nothing, runs nothing, and its policy says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from . import plots
from .cold_start import FIRST_REPLY_GOAL_MS, IMPORT_GOAL_MS, ColdStart
from .report import (
    Report,
    circumstances,
    cold_table,
    difference_table,
    method,
    ratio_table,
    row_table,
    stage_table,
)
from .stats import Summary
from .summary import Ratio, Row
from .svg import number

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_NUMBER = re.compile(r"[\d.,–%]*")
_SHOWN_FAILURES = 4  # more are folded; the cards have them too
_STYLE = Path(__file__).with_name("page.css")


def render_page(report: Report) -> str:
    """Return the page: headline figures, then charts, tables, method and circumstances."""
    title = f"{report.plan.kind.capitalize()} of {report.bundle}"
    sections = (_head(report, title), _headline(report), _figures(report), _tables(report))
    return document(title, "".join(sections))


def document(title: str, body: str) -> str:
    """Return a whole page; `body` is HTML, `title` is not."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE.read_text('utf-8')}</style></head>"
        f"<body>{body}</body></html>\n"
    )


def _head(report: Report, title: str) -> str:
    """Return what was measured where, and what is wrong or doubtful."""
    f, workload, outcome = report.fingerprint, report.workload, report.outcome
    facts = (
        f"Bundle {f.bundle_id} · {workload.contexts} contexts ({workload.source}) · {f.threads} "
        f"threads on {f.cores_allowed} of {f.cores} cores · {f.cpu}"
    )
    marks = "".join(f'<li class="good">{escape(text)}</li>' for text in _what_passed(report))
    if outcome.failures:
        lines = "".join(f"<br>{escape(text)}" for text in outcome.failures)
        shown = " open" if len(outcome.failures) <= _SHOWN_FAILURES else ""
        marks = (
            f'<li class="failed"><details{shown}><summary>FAILED: {len(outcome.failures)} gates'
            f"</summary>{lines.removeprefix('<br>')}</details></li>"
        )
    marks += "".join(f'<li class="doubt">{escape(text)}</li>' for text in outcome.warnings)
    return (
        f'<header><p class="kicker">empgan-rt bench</p><h1>{escape(title)}</h1>'
        f'<p class="facts">{escape(facts)}</p><ul class="marks">{marks}</ul></header>'
    )


def _what_passed(report: Report) -> Iterator[str]:
    """Yield what was asked of the engines and holds."""
    if any(not ratio.verdict.approximate for ratio in report.outcome.ratios):
        yield "Every exact engine wrote the reference's replies."
    if report.plan.objectives:
        yield f"Kept in every cell: {', '.join(map(str, report.plan.objectives))}."


def _headline(report: Report) -> str:
    """Return a card for each cell: the ratio of each engine, or the time of a single one."""
    outcome, kind = report.outcome, report.plan.kind
    kinds = plots.styles(outcome)
    rows = {(row.engine, row.cell): row for row in outcome.rows}
    cards = []
    for cell in report.plan.cells():
        mine = [r for r in outcome.ratios if r.cell == cell]
        if mine:
            paces = [_pace(rows[r.engine, cell], kind) for r in mine]
            lines = [_ratio(r, pace, kinds) for r, pace in zip(mine, paces, strict=True)]
            foot = f"{mine[0].reference}: {_pace(rows[mine[0].reference, cell], kind)}"
        else:
            (row,) = (row for row in outcome.rows if row.cell == cell)
            figure, _, unit = _pace(row, kind).partition(" ")
            lines = [_line(escape(row.engine), figure, f"{unit}, median")]
            foot = f"{row.total_ms.n} batches"
        cards.append(_card(plots.cell_title(cell), lines, foot))
    than = [f"Times faster than {r.reference}" for r in outcome.ratios]
    title = than[0] if than else "One engine only: there is no ratio"
    return f'<section><h2>{escape(title)}</h2><div class="cards">{"".join(cards)}</div></section>'


def _pace(row: Row, kind: str) -> str:
    """Return how fast an engine was, in the unit of the run."""
    if kind == "throughput":
        return f"{number(row.dialogues_per_s.p50)} dialogues/s"
    return f"{number(row.total_ms.p50)} ms"


def _ratio(ratio: Ratio, pace: str, kinds: Mapping[str, str]) -> str:
    """Return the line of one engine in a card."""
    name = f'<i class="{kinds[ratio.engine]}"></i>{escape(ratio.engine)}'
    if not ratio.verdict.passed:
        why = str(ratio.verdict).removeprefix("FAILED: ")
        return _line(name, "FAILED", why, kind="failed")
    speedup = ratio.speedup
    facts = [f"{speedup.low:.2f} to {speedup.high:.2f}", pace]
    facts += [str(ratio.verdict)] if ratio.verdict.approximate else []
    detail = " · ".join(fact.replace(" ", "\N{NO-BREAK SPACE}") for fact in facts)
    tag = ' <span class="tag doubt">noisy</span>' if ratio.noisy else ""
    return _line(name, f"{speedup.value:.2f}×", detail, tag)


def _line(name: str, figure: str, detail: str, tag: str = "", kind: str = "") -> str:
    """Return a line of a card; `name` and `tag` are HTML, the rest is not."""
    return (
        f'<div><dt>{name}</dt><dd class="figure {kind}">{escape(figure)}</dd>'
        f'<dd class="detail">{escape(detail)}{tag}</dd></div>'
    )


def _card(title: str, lines: Sequence[str], foot: str) -> str:
    return (
        f'<article class="card"><h3>{escape(title)}</h3><dl>{"".join(lines)}</dl>'
        f"<footer>{escape(foot)}</footer></article>"
    )


def _figures(report: Report) -> str:
    """Return the legend and all charts, and between them the cold starts."""
    outcome = report.outcome
    items = "".join(
        f'<li><i class="{kind}"></i>{escape(name)}</li>'
        for name, kind in plots.styles(outcome).items()
    )
    parts = [f'<ul class="legend" aria-label="Engines">{items}</ul>']
    if outcome.ratios:
        parts.append(plots.ratios(outcome))
    if outcome.breakdowns:  # reports of version 1.0 have none
        parts.append(plots.stages(outcome))
    parts += [plots.percentiles(outcome), plots.iterations(outcome), plots.throughput(outcome)]
    return "".join(parts) + _cold_starts(report.cold_starts)


def _cold_starts(cold_starts: Sequence[ColdStart]) -> str:
    """Return a card for each of our engines."""

    def line(name: str, found: Summary, goal: int) -> str:
        kind = "good" if found.p50 <= goal else "doubt"
        tag = f' <span class="tag {kind}">goal {goal} ms</span>'
        detail = f"{found.p50_low:.0f} to {found.p50_high:.0f} ms"
        return _line(name, f"{found.p50:.0f} ms", detail, tag)

    cards = [
        _card(
            c.engine,
            [
                line("<code>import empgan_rt</code>", c.import_ms, IMPORT_GOAL_MS),
                line("Process to first reply", c.first_reply_ms, FIRST_REPLY_GOAL_MS),
            ],
            f"medians of {c.first_reply_ms.n} fresh processes; loading {c.load_ms.p50:.0f} ms, "
            f"the reply by itself {c.reply_ms.p50:.0f} ms",
        )
        for c in cold_starts
    ]
    if not cards:
        return ""
    return (
        '<section id="cold-start"><h2>Cold start</h2>'
        f'<div class="cards">{"".join(cards)}</div></section>'
    )


def _tables(report: Report) -> str:
    """Return everything in figures, the method and the circumstances."""
    outcome = report.outcome
    tables = {
        "Ratios": ratio_table(outcome.ratios),
        "Times in ms": row_table(outcome.rows),
        "Stages, ms per dialogue": stage_table(outcome.breakdowns),
        "Cold starts": cold_table(report.cold_starts),
        "Replies that differ": difference_table(outcome.differences),
    }
    sections = [
        f"<section><h2>{title}</h2>{_table(head, rows)}</section>"
        for title, (head, rows) in tables.items()
        if rows
    ]
    facts = _table(*circumstances(report), kind="scroll facts-table")
    return (
        f"{''.join(sections)}<section><h2>Method</h2>"
        f'<p class="prose">{escape(method(report))}</p></section>'
        f"<section><h2>Circumstances</h2>{facts}</section>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "scroll") -> str:
    """Return a table in a box that scrolls by itself."""

    columns = zip(*rows, strict=True)
    kinds = [' class="number"' if all(map(_NUMBER.fullmatch, c)) else "" for c in columns]

    def line(cells: Sequence[str], tag: str) -> str:
        failed = ' class="failed"' if any(c.startswith("FAILED") for c in cells) else ""
        found = zip(cells, kinds, strict=True)
        inner = "".join(f"<{tag}{kind}>{escape(c)}</{tag}>" for c, kind in found)
        return f"<tr{failed}>{inner}</tr>"

    inner = line(head, "th") + "".join(line(cells, "td") for cells in rows)
    return f'<div class="{kind}" tabindex="0"><table>{inner}</table></div>'
