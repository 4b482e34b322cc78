"""The two benchmarks: which cells are measured, in which order, and what comes of them.

**latency** decodes one batch at a time, once with a fixed number of tokens (ends of sequence
struck until 20 are there, so that every engine takes the same steps) and once with natural
lengths. **throughput** decodes batch after batch with natural lengths. Peers have weights that mean
nothing and end nowhere by themselves: they are left out of natural lengths.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from empgan_rt.config import SearchConfig

from .engines import APPROXIMATE, PEERS, REFERENCE, YARDSTICKS
from .gate import Cell, Difference, ParityGate, Rescore, Verdict
from .slo import Objective
from .standing import Standing, standing_of
from .stats import NOISE_LIMIT
from .summary import Ratio, Row, metrics_of, ratio_of, row_of
from .timing import CellTimer, Engine, Series
from .workload import Workload

Kind = Literal["latency", "throughput"]
FIXED_TOKENS = 20
_IDLE_LIMIT = 0.01  # share of a core that an idle worker may use before the report says so
_MODES: Mapping[Kind, tuple[str, ...]] = {
    "latency": ("fixed", "natural"),
    "throughput": ("natural",),
}


class Plan(msgspec.Struct, frozen=True):
    """What to measure.

    Attributes:
        batches, beams: every pair is a cell.
        warmup: rounds before measuring, after the gate's pass over all batches.
        min_time_s: measured time of a cell, all engines together.
        seed: of the workload's order and of the bootstrap.
        objectives: each must hold in every cell, for every engine but the reference.
    """

    kind: Kind
    batches: tuple[int, ...]
    beams: tuple[int, ...]
    warmup: int
    min_time_s: float
    seed: int
    objectives: tuple[Objective, ...] = ()

    def cells(self) -> list[Cell]:
        """Return the cells in the order in which they are measured."""
        return [
            Cell(batch, beam, mode)
            for batch in self.batches
            for beam in self.beams
            for mode in _MODES[self.kind]
        ]


class Outcome(msgspec.Struct, frozen=True):
    """Everything that was measured, and what is wrong with it.

    Attributes:
        rows: statistics, cells in order, engines in order within a cell.
        ratios: of every engine but the reference and yardsticks; none without a reference.
        verdicts: the gate's, for every engine and cell.
        differences: ties and mismatches, each listed once.
        series: the raw times.
        failures: why the run fails; empty if it passes.
        warnings: what a reader must know.
        standings: of engines that had a peer or a floor beside them.
    """

    rows: list[Row]
    ratios: list[Ratio]
    verdicts: list[Verdict]
    differences: list[Difference]
    series: list[Series]
    failures: list[str]
    warnings: list[str]
    standings: list[Standing] = []


def search_of(cell: Cell, base: SearchConfig) -> SearchConfig:
    """Return the search of a cell: the bundle's, without sampling and banned words.

    In "fixed" mode the reply has exactly FIXED_TOKENS tokens.
    """
    return dataclasses.replace(
        base,
        beam_size=cell.beam,
        num_hypotheses=1,
        sample=False,
        banned_words=(),
        max_length=FIXED_TOKENS if cell.mode == "fixed" else base.max_length,
        min_length=FIXED_TOKENS if cell.mode == "fixed" else base.min_length,
    )


def run_suite(
    plan: Plan,
    engines: Sequence[Engine],
    workload: Workload,
    base: SearchConfig,
    rescore: Rescore | None = None,
    on_progress: Callable[[int, str], None] = lambda done, note: None,
) -> Outcome:
    """Measure every cell of a plan and return the outcome, also where the gate fails.

    Args:
        plan: what to measure.
        engines: open workers.
        workload: the contexts.
        base: the bundle's search defaults.
        rescore: float64 scores for the gate; see `ParityGate`.
        on_progress: called with the number of finished cells and the current one.

    Raises:
        EmpganError: what an engine raised.
    """
    # The gate compares with the first engine, so the reference goes first if it is there, and
    # yardsticks, which take as many steps as it, go last.
    ordered = sorted(engines, key=lambda e: (e.name in YARDSTICKS, e.name != REFERENCE))
    gate = ParityGate(rescore, APPROXIMATE)
    measured: list[dict[str, Series]] = []
    for done, cell in enumerate(plan.cells()):
        batches = workload.batches(cell.batch, plan.seed)
        here = {e.name: e for e in ordered if cell.mode == "fixed" or e.name not in PEERS}
        for engine in here.values():
            engine.load(batches)
        timer = CellTimer(
            here,
            cell,
            batches,
            search_of(cell, base),
            gate,
            functools.partial(on_progress, done, str(cell)),
            YARDSTICKS,
        )
        timer.warm_up(plan.warmup)
        timer.measure(plan.min_time_s, whole=plan.kind == "throughput")
        measured.append(timer.series)
    on_progress(len(measured), "")
    return _outcome(plan, measured, gate)


def _outcome(plan: Plan, measured: Sequence[Mapping[str, Series]], gate: ParityGate) -> Outcome:
    """Return the statistics of all cells and hold the objectives against them."""
    rows: list[Row] = []
    ratios: list[Ratio] = []
    verdicts: list[Verdict] = []
    failures: list[str] = []
    stands: list[Standing] = []
    for cell_series in measured:
        reference = next(iter(cell_series))
        for name, series in cell_series.items():
            row = row_of(series, plan.seed)
            rows.append(row)
            if name in YARDSTICKS:
                continue
            verdict = gate.verdict(name, series.cell)
            verdicts.append(verdict)
            if not verdict.passed:
                failures.append(f"{name}, {series.cell}: {verdict}")
            ratio = None
            if name != reference:
                ratio = ratio_of(cell_series[reference], series, verdict, plan.seed)
                ratios.append(ratio)
            standing = standing_of(cell_series, verdict, plan.seed)
            stands += [] if standing is None else [standing]
            if name != REFERENCE:
                metrics = metrics_of(row, ratio)
                missed = [objective.missed(metrics) for objective in plan.objectives]
                failures += [f"{name}, {series.cell}: {text}" for text in missed if text]
    every_series = [series for cell_series in measured for series in cell_series.values()]
    warnings = _warnings(rows)
    return Outcome(
        rows, ratios, verdicts, gate.differences, every_series, failures, warnings, stands
    )


def _warnings(rows: Sequence[Row]) -> list[str]:
    """Return what makes the times doubtful, and what was left out."""
    found = []
    natural = {str(row.cell) for row in rows if row.cell.mode == "natural"}
    for name in dict.fromkeys(row.engine for row in rows if row.engine in PEERS):
        if natural:
            found.append(
                f"{name} was not measured at natural lengths ({len(natural)} cells): its weights "
                "are random, so its replies end by chance"
            )
    noisy = [row for row in rows if row.noise > NOISE_LIMIT]
    if noisy:
        worst = max(noisy, key=lambda row: row.noise)
        found.append(
            f"noisy: in {len(noisy)} of {len(rows)} rows an engine differs from itself by more "
            f"than {NOISE_LIMIT:.0%} (worst {worst.noise:.1%}, {worst.engine}, {worst.cell})"
        )
    busy = [row for row in rows if row.idle_cpu_share > _IDLE_LIMIT]
    if busy:
        worst = max(busy, key=lambda row: row.idle_cpu_share)
        found.append(
            f"idle workers used CPU in {len(busy)} of {len(rows)} rows (worst "
            f"{worst.idle_cpu_share:.2f} cores, {worst.engine}, {worst.cell})"
        )
    return found
