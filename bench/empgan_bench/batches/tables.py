"""The tables of a report for people, and how it was measured, for Markdown and HTML alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..engines.table import PEERS, YARDSTICKS, label
from ..measuring.cold_start import FIRST_REPLY_GOAL_MS, IMPORT_GOAL_MS, RUNS, ColdStart
from ..measuring.gate import Difference
from ..measuring.text_times import PASSES
from ..reports.tables import Table, prose
from .report import Report
from .summary import STAGES, Breakdown, Ratio, Row

DEVICE_COLUMNS = ("encode on device", "step on device")


def ratio_table(ratios: Sequence[Ratio]) -> Table:
    """Return head and rows of the ratios to the reference."""
    head = ["batch", "beam", "length", "engine", "times faster than", "ratio", "replies", "rounds"]
    rows = [
        [
            *(str(r.cell.batch), str(r.cell.beam), r.cell.mode, r.engine, r.reference),
            *(str(r), str(r.verdict), str(r.rounds)),
        ]
        for r in ratios
    ]
    return head, rows


def row_table(rows: Sequence[Row]) -> Table:
    """Return head and rows of the statistics."""
    head = (
        *("batch", "beam", "length", "engine", "n", "p50 [95 %]", "p90", "p95", "p99", "max"),
        *("per dialogue", "encode", "step", "search", "first token", "per token"),
        *("dialogues/s", "tokens/s", "noise", "idle"),
    )
    on_device = any(row.device_step_ms is not None for row in rows)
    return (
        [*head, *(DEVICE_COLUMNS if on_device else ())],
        [[*_cells_of(row), *(_device_cells(row) if on_device else ())] for row in rows],
    )


def _cells_of(row: Row) -> Iterator[str]:
    total = row.total_ms
    yield from (str(row.cell.batch), str(row.cell.beam), row.cell.mode, label(row.engine))
    yield str(total.n)
    yield f"{total.p50:.2f} [{total.p50_low:.2f}, {total.p50_high:.2f}]"
    for percentile in (total.p90, total.p95, total.p99, total.max):
        yield "–" if percentile is None else f"{percentile:.2f}"
    yield f"{row.dialogue_ms:.2f}"
    for part in (row.encode_ms, row.step_ms, row.search_ms, row.first_token_ms, row.per_token_ms):
        yield "–" if row.engine in PEERS else f"{part.p50:.2f}"  # a peer tells no parts
    writes = row.tokens_per_s.max > 0  # which the floor does not
    yield f"{row.dialogues_per_s.p50:.1f}" if writes else "–"
    yield f"{row.tokens_per_s.p50:.0f}" if writes else "–"
    yield f"{row.noise:.1%}"
    yield f"{row.idle_cpu_share:.2f}"


def _device_cells(row: Row) -> Iterator[str]:
    for part in (row.device_encode_ms, row.device_step_ms):
        yield "not measured" if part is None else f"{part.p50:.3f}"


def stage_table(breakdowns: Sequence[Breakdown]) -> Table:
    """Return head and rows of where the time goes, in ms per dialogue."""
    rows = []
    for b in breakdowns:
        cell = [str(b.cell.batch), str(b.cell.beam), b.cell.mode]
        times = [f"{value:.3f}" for _, value in b.stages]
        rows.append([*cell, label(b.engine), *times, f"{b.whole_ms:.3f}"])
    return ["batch", "beam", "length", "engine", *STAGES, "whole"], rows


def cold_table(cold_starts: Sequence[ColdStart]) -> Table:
    """Return head and rows of the cold starts."""
    head = ("import empgan_rt, ms", "load bundle and engine, ms", "first reply by itself, ms")
    rows = []
    for c in cold_starts:
        times = (c.import_ms, c.load_ms, c.reply_ms, c.first_reply_ms)
        cells = [f"{t.p50:.0f} [{t.p50_low:.0f}, {t.p50_high:.0f}]" for t in times]
        rows.append([c.engine, str(c.import_ms.n), *cells])
    if rows:
        rows.append(["goal, at most", "", str(IMPORT_GOAL_MS), "", "", str(FIRST_REPLY_GOAL_MS)])
    return ["engine", "n", *head, "process to first reply, ms"], rows


def difference_table(differences: Sequence[Difference]) -> Table:
    """Return head and rows of ties and mismatches, the token ids left to `report.json`."""
    head = ["cell", "engine", "item", "dialogue", "first at", "gap", "kind"]
    rows = []
    for d in differences:
        pairs = enumerate(zip(d.wanted, d.found, strict=False))
        shorter = min(len(d.wanted), len(d.found))
        first = next((place for place, (want, have) in pairs if want != have), shorter)
        gap = "unknown" if d.gap is None else f"{d.gap:.2e}"
        kind = "tie" if d.is_tie else "mismatch"
        rows.append([str(d.cell), d.engine, str(d.item), str(d.row), str(first), gap, kind])
    return head, rows


def method(report: Report) -> str:
    """Return how it was measured, in one paragraph."""
    names = {engine.name for engine in report.engines}
    return prose(
        Path(__file__).with_name("method.txt"),
        plan=report.plan,
        workload=report.workload,
        threads=report.fingerprint.threads,
        passes=PASSES,
        cold_runs=RUNS if report.cold_starts else 0,
        floors=(YARDSTICKS - {*PEERS}) & names,
        peers=names.intersection(PEERS),
        other=report.other_build,
    )
