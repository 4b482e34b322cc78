"""A report of `bench latency` or `bench throughput` as Markdown and as one offline page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from ..engines.table import YARDSTICKS, label
from ..measuring.cold_start import FIRST_REPLY_GOAL_MS, IMPORT_GOAL_MS, ColdStart
from ..measuring.stats import Summary
from ..reports import markdown
from ..reports.page import Card, Line, Page, Plots, equal_replies, rendered
from ..reports.tables import Table
from ..reports.theme import Look, number
from . import plots, tables
from .report import Report, headline
from .standing import Standing, settings_table, standing_table
from .summary import STAGES, Ratio, Row


def render_markdown(report: Report) -> str:
    """Return the report for people; its first table is the ratio."""
    outcome = report.outcome
    parts = [
        markdown.table(*tables.ratio_table(outcome.ratios)) if outcome.ratios else headline(report),
        markdown.table(*standing_table(outcome.standings)) if outcome.standings else "",
        markdown.marks(outcome.failures, outcome.warnings),
        "## Times",
        markdown.table(*tables.row_table(outcome.rows)),
        "ms; total, encode, step and search are medians of a batch; the interval is that of the "
        "median (95 %, bootstrap). First token: the end of the first decoder step. Per token: a "
        "decoder step with its search, without the first one. p95 needs 20 samples and p99 "
        "1,000. Noise: an engine against itself. Idle: cores used while the other ran.",
    ]
    if outcome.breakdowns:  # reports of version 1.0 have none
        parts += ["## Where the time goes", markdown.table(*tables.stage_table(outcome.breakdowns))]
        parts.append("ms per dialogue, medians; whole: their sum, from text to text.")
    if report.cold_starts:
        parts += ["## Cold start", markdown.table(*tables.cold_table(report.cold_starts))]
        parts.append("Medians of fresh processes [95 %].")
    settings = settings_table(outcome.series)
    if settings[1]:
        parts += ["## What peers were tuned to", markdown.table(*settings)]
    if outcome.differences:
        differences = tables.difference_table(outcome.differences)
        parts += ["## Replies that differ", markdown.table(*differences)]
    return markdown.text(report, report.plan.kind, parts, tables.method(report))


def render_page(report: Report) -> str:
    """Return the page: headline figures, then plots, tables, circumstances and method."""
    outcome = report.outcome
    shown = Page(
        title=f"{report.plan.kind.capitalize()} of {report.bundle}",
        passed=_what_passed(report),
        cards=_headline(report),
        looks={label(name): look for name, look in plots.engine_looks(outcome).items()},
        plots=_figures(report),
        cold_starts=_cold_starts(report.cold_starts),
        tables=_tables(report),
        method=tables.method(report),
    )
    return rendered(report, shown)


def _what_passed(report: Report) -> Iterator[str]:
    """Yield what was asked of the engines and holds."""
    yield from equal_replies(ratio.verdict for ratio in report.outcome.ratios)
    if report.plan.objectives:
        yield f"Kept in every cell: {', '.join(map(str, report.plan.objectives))}."


def _headline(report: Report) -> tuple[str, list[Card]]:
    """Return a title, and a card for each cell: each engine's ratio, or a single one's time."""
    outcome, kind = report.outcome, report.plan.kind
    looks = plots.engine_looks(outcome)
    rows = {(row.engine, row.cell): row for row in outcome.rows}
    stands = {(standing.engine, standing.cell): standing for standing in outcome.standings}
    cards = []
    for cell in report.plan.cells():
        mine = [r for r in outcome.ratios if r.cell == cell]
        if mine:
            lines = []
            for ratio in mine:
                name = ratio.engine
                pace = _pace(rows[name, cell], kind)
                lines.append(_ratio(ratio, pace, stands.get((name, cell)), looks[name]))
            foot = f"{mine[0].reference}: {_pace(rows[mine[0].reference, cell], kind)}"
        else:
            row = next(r for r in outcome.rows if r.cell == cell and r.engine not in YARDSTICKS)
            figure, _, unit = _pace(row, kind).partition(" ")
            facts = [f"{unit}, median", *_beside(stands.get((row.engine, cell)))]
            lines = [Line(row.engine, figure, facts)]
            foot = f"{row.total_ms.n} batches"
        cards.append(Card(plots.cell_title(cell), lines, foot))
    than = [f"Times faster than {r.reference}" for r in outcome.ratios]
    return (than[0] if than else "One engine only: there is no ratio"), cards


def _pace(row: Row, kind: str) -> str:
    """Return how fast an engine was, in the unit of the run."""
    if kind == "throughput":
        return f"{number(row.dialogues_per_s.p50)} dialogues/s"
    return f"{number(row.total_ms.p50)} ms"


def _ratio(ratio: Ratio, pace: str, standing: Standing | None, look: Look) -> Line:
    """Return the line of one engine in a card."""
    if not ratio.verdict.passed:
        why = str(ratio.verdict).removeprefix("FAILED: ")
        return Line(ratio.engine, "FAILED", [why], look, failed=True)
    speedup = ratio.speedup
    facts = [f"{speedup.low:.2f} to {speedup.high:.2f}", pace]
    facts += [str(ratio.verdict)] if ratio.verdict.approximate else []
    facts += _beside(standing)
    doubt = ("noisy", "doubt") if ratio.noisy else None
    return Line(ratio.engine, f"{speedup.value:.2f}×", facts, look, doubt)


def _beside(standing: Standing | None) -> Iterator[str]:
    """Yield how an engine stands beside the best peer, the floor and another build."""
    if standing is not None and standing.over_peer is not None:
        yield f"{standing.over_peer.value:.2f}× as fast as {standing.peer}"
    if standing is not None and standing.over_floor is not None:
        yield f"{standing.over_floor.value:.2f}× the time of {standing.floor}"
    if standing is not None and standing.over_other is not None:
        yield f"{standing.over_other.value:.2f}× as fast as the other build"


def _figures(report: Report) -> Iterator[Plots]:
    """Yield the sections of plots."""
    outcome = report.outcome
    if outcome.ratios:
        yield Plots(
            "ratios",
            f"Ratio to {outcome.ratios[0].reference}",
            "How many times as fast. Dot: median over rounds; band: its 95 % interval. Right of "
            "the dashed line is faster than the reference.",
            plots.ratios(outcome),
        )
    if outcome.breakdowns:  # reports of version 1.0 have none
        yield Plots(
            "stages",
            "Where the time goes",
            "Medians, ms per dialogue. Grey: text, the same for all engines and not in the ratios.",
            plots.stages(outcome),
            stages=STAGES,
        )
    yield Plots(
        "percentiles",
        "Latency, from best to worst",
        "Share of batches that took at most so many ms (logarithmic).",
        plots.percentiles(outcome),
    )
    yield Plots(
        "iterations",
        "Latency over iterations",
        "The ms of every batch in order. Shaded: warm-up, which no statistic counts.",
        plots.iterations(outcome),
    )
    yield Plots(
        "throughput",
        "Batch size and throughput",
        "Dialogues per second over the batch size: medians with their 95 % intervals; both axes "
        "are logarithmic.",
        plots.throughput(outcome),
    )


def _cold_starts(cold_starts: Sequence[ColdStart]) -> list[Card]:
    """Return a card for each of our engines."""

    def line(name: str, found: Summary, goal: int) -> Line:
        kept = f"goal {goal} ms", "good" if found.p50 <= goal else "doubt"
        interval = f"{found.p50_low:.0f} to {found.p50_high:.0f} ms"
        return Line(name, f"{found.p50:.0f} ms", [interval], tag=kept)

    return [
        Card(
            c.engine,
            [
                line(Markup("<code>import empgan_rt</code>"), c.import_ms, IMPORT_GOAL_MS),
                line("Process to first reply", c.first_reply_ms, FIRST_REPLY_GOAL_MS),
            ],
            f"medians of {c.first_reply_ms.n} fresh processes; loading {c.load_ms.p50:.0f} ms, "
            f"the reply by itself {c.reply_ms.p50:.0f} ms",
        )
        for c in cold_starts
    ]


def _tables(report: Report) -> dict[str, Table]:
    outcome = report.outcome
    return {
        "Ratios": tables.ratio_table(outcome.ratios),
        "Beside peers, floor and the other build": standing_table(outcome.standings),
        "Times in ms": tables.row_table(outcome.rows),
        "Stages, ms per dialogue": tables.stage_table(outcome.breakdowns),
        "Cold starts": tables.cold_table(report.cold_starts),
        "What peers were tuned to": settings_table(outcome.series),
        "Replies that differ": tables.difference_table(outcome.differences),
    }
