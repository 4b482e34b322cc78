"""The plots of a report, a panel for each cell; an engine has one look in all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import plotly.graph_objects as go

from ..engines.table import YARDSTICKS, label
from ..measuring.gate import Cell
from ..measuring.timing import Series
from ..reports import theme
from ..reports.theme import Look, Panel
from .outcome import Outcome
from .suite import FIXED_TOKENS
from .summary import STAGES, Breakdown, Ratio, Row

_LENGTHS = {"fixed": f"{FIXED_TOKENS} tokens", "natural": "natural length"}
_MOST_POINTS = 200  # of a curve

Record = TypeVar("Record", Ratio, Breakdown, Series)


def engine_looks(outcome: Outcome) -> dict[str, Look]:
    """Return the look of each engine that was measured."""
    references = {ratio.reference for ratio in outcome.ratios}
    return theme.looks((row.engine for row in outcome.rows), references)


def cell_title(cell: Cell) -> str:
    """Return a cell as a title."""
    return f"batch {cell.batch} · beam {cell.beam} · {_LENGTHS[cell.mode]}"


def ratios(outcome: Outcome) -> list[Panel]:
    """Return the speed-up over the reference with its interval; failed cells have no mark."""
    styles = engine_looks(outcome)
    passed = [r.speedup for r in outcome.ratios if r.verdict.passed]
    ends = [0.8, 1.25, *(s.low for s in passed), *(s.high for s in passed)]
    panels = []
    for cell, mine in _by_cell(outcome.ratios).items():
        figure = go.Figure()
        for place, ratio in enumerate(mine):
            if ratio.verdict.passed:
                _add_ratio(figure, ratio, place, styles[ratio.engine])
        figure.add_vline(x=1.0, line={"dash": "dash", "width": 1, "color": theme.GREY})
        figure.update_xaxes(theme.log_axis(ends, suffix="×"))
        told = [f"{r.speedup.value:.2f}×" if r.verdict.passed else "FAILED" for r in mine]
        names = [r.engine for r in mine]
        panels.append(theme.row_panel(cell_title(cell), figure, names, told))
    return panels


def _add_ratio(figure: Any, ratio: Ratio, place: int, look: Look) -> None:
    speedup = ratio.speedup
    figure.add_scatter(
        name=ratio.engine,
        x=[speedup.value],
        y=[-place],
        mode="markers",
        marker=look.marker(size=10),
        error_x={
            "array": [speedup.high - speedup.value],
            "arrayminus": [speedup.value - speedup.low],
            "width": 0,
            "thickness": 6,
        },
        hovertemplate=f"{ratio}<extra>{ratio.engine}</extra>",
    )


def stages(outcome: Outcome) -> list[Panel]:
    """Return where the time of a reply goes, one bar an engine."""
    panels = []
    for cell, mine in _by_cell(outcome.breakdowns).items():
        figure = go.Figure()
        for stage in STAGES:
            spent_ms = [dict(breakdown.stages)[stage] for breakdown in mine]
            figure.add_bar(
                name=stage,
                x=spent_ms,
                y=[-place for place in range(len(mine))],
                orientation="h",
                width=0.28,
                marker_color=theme.STAGE_COLOURS[stage],
                hovertemplate=[f"{theme.number(ms)} ms" for ms in spent_ms],
            )
        figure.update_xaxes(title="ms per dialogue")
        names = [label(breakdown.engine) for breakdown in mine]
        whole = [f"{theme.number(breakdown.whole_ms)} ms" for breakdown in mine]
        panels.append(theme.row_panel(cell_title(cell), figure, names, whole))
    return panels


def percentiles(outcome: Outcome) -> list[Panel]:
    """Return which share of batches was done after how many ms."""
    styles = engine_looks(outcome)
    panels = []
    for cell, mine in _by_cell(outcome.series).items():
        figure = go.Figure()
        for series in mine:
            values = _total_ms(series)
            shares = np.linspace(0.0, 100.0, min(len(values), _MOST_POINTS))
            figure.add_scatter(
                name=label(series.engine),
                x=np.percentile(values, shares).tolist(),
                y=shares.tolist(),
                mode="lines",
                line=styles[series.engine].line(),
            )
        every = [ms for series in mine for ms in _total_ms(series)]
        figure.update_xaxes(theme.log_axis(every, "ms"))
        figure.update_yaxes(theme.SHARE_AXIS)
        panels.append(theme.panel(cell_title(cell), figure))
    return panels


def iterations(outcome: Outcome) -> list[Panel]:
    """Return the ms of every batch in order; what came before zero is the warm-up."""
    styles = engine_looks(outcome)
    panels = []
    for cell, mine in _by_cell(outcome.series).items():
        figure = go.Figure()
        theme.shade(figure, -max(len(series.warmup) for series in mine) - 0.5, -0.5)
        every: list[float] = []
        for series in mine:
            warm = [timing.total_ms for timing in series.warmup]
            values = _total_ms(series)
            every += warm + values
            figure.add_scatter(
                name=label(series.engine),
                x=[*range(-len(warm), len(values))],
                y=warm + values,
                mode="markers",
                marker=styles[series.engine].marker(
                    opacity=[0.4] * len(warm) + [1.0] * len(values)
                ),
            )
        figure.update_xaxes(title="batch")
        figure.update_yaxes(theme.log_axis(every, "ms"))
        panels.append(theme.panel(cell_title(cell), figure))
    return panels


def throughput(outcome: Outcome) -> list[Panel]:
    """Return dialogues per second over the batch size."""
    styles = engine_looks(outcome)
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in outcome.rows:
        if row.engine in YARDSTICKS:  # they answer no dialogue
            continue
        groups.setdefault((row.cell.beam, row.cell.mode), []).append(row)
    panels = []
    for (beam, mode), rows in groups.items():
        figure = go.Figure()
        for engine in dict.fromkeys(row.engine for row in rows):
            mine = [row for row in rows if row.engine == engine]
            rates = [row.dialogues_per_s for row in mine]
            figure.add_scatter(
                name=engine,
                x=[row.cell.batch for row in mine],
                y=[rate.p50 for rate in rates],
                mode="lines+markers",
                line=styles[engine].line(),
                marker=styles[engine].marker(size=7),
                error_y={
                    "array": [rate.p50_high - rate.p50 for rate in rates],
                    "arrayminus": [rate.p50 - rate.p50_low for rate in rates],
                },
            )
        batches = sorted({row.cell.batch for row in rows})
        found = [row.dialogues_per_s for row in rows]
        ends = [end for rate in found for end in (rate.p50_low, rate.p50_high)]
        figure.update_xaxes(theme.log_axis(batches, "batch size", batches))
        figure.update_yaxes(theme.log_axis(ends, "dialogues/s"))
        panels.append(theme.panel(f"beam {beam} · {_LENGTHS[mode]}", figure))
    return panels


def _total_ms(series: Series) -> list[float]:
    return [timing.total_ms for visit in series.visits for timing in visit.timings]


def _by_cell(records: Sequence[Record]) -> Mapping[Cell, list[Record]]:
    """Return the records of each cell, in order."""
    found: dict[Cell, list[Record]] = {}
    for record in records:
        found.setdefault(record.cell, []).append(record)
    return found
