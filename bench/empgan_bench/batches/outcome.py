"""What the cells of a run come to: statistics, ratios, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ..engines.table import OTHER, PEERS, REFERENCE, YARDSTICKS
from ..measuring.gate import Difference, ParityGate, Verdict
from ..measuring.slo import Objective
from ..measuring.stats import NOISE_LIMIT
from ..measuring.text_times import TextSeries
from ..measuring.timing import IDLE_LIMIT, Series
from .standing import Standing, standing_of
from .summary import Breakdown, Ratio, Row, breakdown_of, metrics_of, ratio_of, row_of


class Outcome(msgspec.Struct, frozen=True):
    """Everything that was measured, and what is wrong with it.

    Attributes:
        rows: statistics, cells in order, engines in order within a cell.
        ratios: of every engine but the reference and yardsticks; none without a reference.
        verdicts: the gate's, for every engine and cell.
        differences: ties and mismatches, each listed once; then those between two builds.
        series: the raw times.
        failures: why the run fails; empty if it passes.
        warnings: what a reader must know.
        text: the raw times of reading and writing text, one record a cell.
        breakdowns: where the time of a reply goes, in the order of `rows`; peers tell none.
        standings: of engines that had a peer, a floor or another build beside them.
    """

    rows: list[Row]
    ratios: list[Ratio]
    verdicts: list[Verdict]
    differences: list[Difference]
    series: list[Series]
    failures: list[str]
    warnings: list[str]
    text: list[TextSeries] = []  # reports of version 1.0 have none
    breakdowns: list[Breakdown] = []
    standings: list[Standing] = []


def outcome_of(
    measured: Sequence[Mapping[str, Series]],
    text: list[TextSeries],
    gate: ParityGate,
    objectives: Sequence[Objective],
    seed: int,
    floors: Mapping[str, str],
) -> Outcome:
    """Return the statistics of all cells, and hold the objectives against them.

    Args:
        measured: for each cell its engines by name, the reference first.
        text: of each cell.
        gate: which has seen every reply.
        objectives: each must hold in every cell, for every engine of this build but the reference.
        seed: of the bootstrap.
        floors: engine -> its floor.
    """
    rows: list[Row] = []
    ratios: list[Ratio] = []
    verdicts: list[Verdict] = []
    failures: list[str] = []
    breakdowns: list[Breakdown] = []
    standings: list[Standing] = []
    differences = [*gate.differences]
    for cell_series, cell_text in zip(measured, text, strict=True):
        reference = next(iter(cell_series))
        for name, series in cell_series.items():
            row = row_of(series, seed)
            rows.append(row)
            if name not in PEERS:
                breakdowns.append(breakdown_of(row, None if name in YARDSTICKS else cell_text))
            if name in YARDSTICKS:
                continue
            verdict = gate.verdict(name, series.cell)
            verdicts.append(verdict)
            if not verdict.passed:
                failures.append(f"{name}, {series.cell}: {verdict}")
            ratio = None
            if name != reference:
                ratio = ratio_of(cell_series[reference], series, verdict, seed)
                ratios.append(ratio)
            beside = None
            if name + OTHER in cell_series:
                beside, apart = gate.between(name, name + OTHER, series.cell)
                differences += apart
            standing = standing_of(cell_series, verdict, floors, seed, beside)
            standings += [] if standing is None else [standing]
            if name != REFERENCE and not name.endswith(OTHER):
                metrics = metrics_of(row, ratio, standing)
                missed = [objective.missed(metrics) for objective in objectives]
                failures += [f"{name}, {series.cell}: {text}" for text in missed if text]
    every_series = [series for cell_series in measured for series in cell_series.values()]
    return Outcome(
        rows=rows,
        ratios=ratios,
        verdicts=verdicts,
        differences=differences,
        series=every_series,
        failures=failures,
        warnings=_without_peers(rows) + doubts(rows),
        text=text,
        breakdowns=breakdowns,
        standings=standings,
    )


def _without_peers(rows: Sequence[Row]) -> list[str]:
    """Return which peers were left out where."""
    natural = {str(row.cell) for row in rows if row.cell.mode == "natural"}
    peers = dict.fromkeys(row.engine for row in rows if row.engine in PEERS)
    return [
        f"{name} was not measured at natural lengths ({len(natural)} cells): its weights are "
        "random, so its replies end by chance"
        for name in (peers if natural else ())
    ]


def doubts(rows: Sequence[Row]) -> list[str]:
    """Return what makes the times doubtful."""
    found = []
    noisy = [row for row in rows if row.noise > NOISE_LIMIT]
    if noisy:
        worst = max(noisy, key=lambda row: row.noise)
        found.append(
            f"noisy: in {len(noisy)} of {len(rows)} rows an engine differs from itself by more "
            f"than {NOISE_LIMIT:.0%} (worst {worst.noise:.1%}, {worst.engine}, {worst.cell})"
        )
    busy = [row for row in rows if row.idle_cpu_share > IDLE_LIMIT]
    if busy:
        worst = max(busy, key=lambda row: row.idle_cpu_share)
        found.append(
            f"idle workers used CPU in {len(busy)} of {len(rows)} rows (worst "
            f"{worst.idle_cpu_share:.2f} cores, {worst.engine}, {worst.cell})"
        )
    return found
