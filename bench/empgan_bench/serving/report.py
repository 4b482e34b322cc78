"""The record of a served run that becomes `report.json`, and its tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from ..engines.table import is_remote
from ..measuring.fingerprint import Circumstances
from ..measuring.gate import Verdict
from ..measuring.stats import Summary
from ..reports.tables import Table, prose
from .plan import ServingOutcome, ServingPlan
from .summary import FALLS_BEHIND, ServedRow


class ServingReport(Circumstances, frozen=True, kw_only=True):
    """Everything in `report.json`; `outcome.visits` holds the raw events of every request."""

    plan: ServingPlan
    outcome: ServingOutcome


def headline(report: ServingReport) -> str:
    """Return the lines that matter most: latencies at each rate, where it ends, and failures."""
    outcome = report.outcome
    pairs = zip(outcome.rows, outcome.verdicts, strict=True)
    lines = [f"{row.engine}, {row.cell}: {_told(row, verdict)}" for row, verdict in pairs]
    lines += saturation(outcome.rows)
    lines += [f"FAILED {failure}" for failure in outcome.failures]
    return "\n".join(lines)


def saturation(rows: Sequence[ServedRow]) -> list[str]:
    """Return a line for each engine and beam: which rates it kept up with, and which not."""

    def whose(row: ServedRow) -> tuple[str, str]:
        return row.engine, row.cell.search

    lines = []
    for (engine, search), group in groupby(sorted(rows, key=whose), key=whose):
        mine = sorted(group, key=lambda row: row.cell.rate_per_s)
        kept = [f"{row.cell.rate_per_s:g}" for row in mine if not row.saturated]
        full = [f"{row.cell.rate_per_s:g}" for row in mine if row.saturated]
        told = f"kept up with {', '.join(kept)} requests/s" if kept else "kept up with no rate"
        told += f", saturated at {', '.join(full)}" if full else ", the most that was offered"
        lines.append(f"{engine}, {search}: {told}")
    return lines


def brief(report: ServingReport, folder: Path) -> dict[str, Any]:
    """Return what `--json` prints: the rows, what failed, and where the report lies."""
    outcome = report.outcome
    return {
        "kind": report.plan.kind,
        "bundle_id": report.fingerprint.bundle_id,
        "passed": not outcome.failures,
        "failures": outcome.failures,
        "warnings": outcome.warnings,
        "rows": [
            _record(row, verdict)
            for row, verdict in zip(outcome.rows, outcome.verdicts, strict=True)
        ],
        "report": str(folder),
    }


def load_table(outcome: ServingOutcome) -> Table:
    """Return head and rows of what each rate brought: latency, goodput, and what was lost."""
    head = (
        *("requests/s", "beam", "engine", "replies", "p50 [95 %], ms", "p95, ms"),
        *("goodput", "good/s", "answered/s", "tokens/s", "answered", "refused", "late", "failed"),
        *("latency grows, s/s", "saturated", "p50 of visits", "sent late p95"),
        "CPU a request",
    )
    pairs = zip(outcome.rows, outcome.verdicts, strict=True)
    return list(head), [[*_place(row), *_load_cells(row, verdict)] for row, verdict in pairs]


def time_table(rows: Sequence[ServedRow]) -> Table:
    """Return head and rows of the percentiles of every time of a request."""
    head = ["requests/s", "beam", "engine", "time", "n", "p50 [95 %]", "p90", "p95", "p99", "max"]
    found = []
    for row in rows:
        for name, summary in _times(row):
            cells = ["0", *["–"] * 5] if summary is None else [str(summary.n), *_spread(summary)]
            found.append([*_place(row), name, *cells])
    return head, found


def method(report: ServingReport) -> str:
    """Return how it was measured, in one paragraph."""
    return prose(
        Path(__file__).with_name("method.txt"),
        plan=report.plan,
        workload=report.workload,
        threads=report.fingerprint.threads,
        falls_behind=FALLS_BEHIND,
        servers=[engine.name for engine in report.engines if is_remote(engine.name)],
        engines=[engine.name for engine in report.engines if not is_remote(engine.name)],
    )


def _told(row: ServedRow, verdict: Verdict) -> str:
    if not verdict.passed:
        return str(verdict)
    if row.e2e_ms is None:
        return "nothing was answered"
    first = "" if row.ttft_ms is None else f", first text p50 {row.ttft_ms.p50:.1f} ms"
    p95 = row.e2e_ms.p95
    high = "too few for p95" if p95 is None else f"p95 {p95:.1f} ms"
    spread = f"p50 {row.e2e_ms.p50:.1f} ms, {high}"
    return f"{spread}{first}, goodput {row.goodput:.1%}"


def _place(row: ServedRow) -> list[str]:
    return [f"{row.cell.rate_per_s:g}", str(row.cell.beam or "own"), row.engine]


def _load_cells(row: ServedRow, verdict: Verdict) -> Iterator[str]:
    yield str(verdict)
    yield from ("–", "–") if row.e2e_ms is None else (_spread(row.e2e_ms)[0], _ms(row.e2e_ms.p95))
    yield from (f"{row.goodput:.1%}", f"{row.goodput_per_s:.2f}", f"{row.requests_per_s:.2f}")
    yield f"{row.tokens_per_s:.1f}"
    yield from map(str, (row.answered, row.refused, row.late, row.failed))
    yield " / ".join(f"{slope.value:.3f}" for slope in row.growth) or "–"
    yield "yes" if row.saturated else "no"
    yield " / ".join(map(_ms, row.visits_p50_ms)) or "–"
    yield _ms(row.lateness_ms.p95)
    yield _ms(row.cpu_ms)


def _times(row: ServedRow) -> Iterator[tuple[str, Summary | None]]:
    yield from (("end to end", row.e2e_ms), ("queue", row.queue_ms), ("TTFT", row.ttft_ms))
    yield f"TPOT ({row.one_piece:.0%} came in one piece)", row.tpot_ms
    yield "sent late", row.lateness_ms


def _spread(summary: Summary) -> list[str]:
    """Return the median with its interval, p90, p95, p99 and the maximum."""
    middle = f"{_ms(summary.p50)} [{_ms(summary.p50_low)}, {_ms(summary.p50_high)}]"
    return [middle, *map(_ms, (summary.p90, summary.p95, summary.p99, summary.max))]


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _record(row: ServedRow, verdict: Verdict) -> dict[str, Any]:
    times = ("e2e_ms", "ttft_ms", "tpot_ms", "queue_ms", "lateness_ms", "cpu_ms")
    rates = ("requests_per_s", "tokens_per_s", "goodput", "goodput_per_s", "saturated")
    counts = ("answered", "refused", "late", "failed")
    return {
        "engine": row.engine,
        "rate_per_s": row.cell.rate_per_s,
        "beam": row.cell.beam,
        **{name: getattr(row, name) for name in (*counts, *rates, *times, "growth")},
        "replies_equal": verdict.mismatches == 0,
        "ties": verdict.ties,
        "mismatches": verdict.mismatches,
        "contexts": verdict.contexts,
    }
