"""The plots of a served run; an engine has one look in all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from ..engines.table import REFERENCE
from ..measuring.gate import Cell
from ..reports.theme import SHARE_AXIS, Look, Panel, log_axis, looks, panel
from .plan import ServingOutcome
from .summary import ServedRow

_PERCENTILES = {"p50": "solid", "p95": "dash", "p99": "dot"}


def engine_looks(outcome: ServingOutcome) -> dict[str, Look]:
    """Return the look of each engine that served."""
    names = [row.engine for row in outcome.rows]
    return looks(names, {REFERENCE}.intersection(names))


def cell_title(cell: Cell) -> str:
    """Return a cell as a title."""
    return f"{cell.rate_per_s:g} requests/s · {cell.search}"


def latency_over_rate(outcome: ServingOutcome) -> list[Panel]:
    """Return percentiles of end-to-end latency against the offered rate, both logarithmic."""
    panels = []
    for search, figure, lines in _by_search(outcome):
        every: list[float] = []
        for look, rows in lines:
            for name, dash in _PERCENTILES.items():
                points = [
                    (row.cell.rate_per_s, getattr(row.e2e_ms, name))
                    for row in rows
                    if row.e2e_ms is not None and getattr(row.e2e_ms, name) is not None
                ]
                if points:
                    rates, values = zip(*points, strict=True)
                    every += values
                    _add_line(figure, f"{rows[0].engine}, {name}", rates, values, look, dash)
        figure.update_yaxes(log_axis(every or [1.0], "end to end, ms"))
        panels.append(panel(search, figure))
    return panels


def goodput_over_rate(outcome: ServingOutcome) -> list[Panel]:
    """Return which share of the requests was good, and which was answered, against the rate."""
    panels = []
    for search, figure, lines in _by_search(outcome):
        for look, rows in lines:
            engine, rates = rows[0].engine, [row.cell.rate_per_s for row in rows]
            good = [100 * row.goodput for row in rows]
            asked = [row.answered + row.refused + row.late + row.failed for row in rows]
            answered = [100 * row.answered / n for row, n in zip(rows, asked, strict=True)]
            _add_line(figure, f"{engine}, good", rates, good, look, "solid")
            _add_line(figure, f"{engine}, answered", rates, answered, look, "dot")
        figure.update_yaxes(title="of the requests", ticksuffix=" %", range=[0, 105])
        panels.append(panel(search, figure))
    return panels


def percentiles(outcome: ServingOutcome) -> list[Panel]:
    """Return, for each cell, which share of the answered was done after how many ms."""
    styles = engine_looks(outcome)
    panels = []
    for cell in dict.fromkeys(row.cell for row in outcome.rows):
        figure = go.Figure()
        for engine, look in styles.items():
            values = np.sort(
                [
                    request.e2e_ms
                    for visit in outcome.visits
                    if (visit.engine, visit.cell) == (engine, cell)
                    for request in visit.requests
                    if request.outcome == "answered"
                ]
            )
            share = 100 * np.arange(1, len(values) + 1) / max(len(values), 1)
            figure.add_scatter(
                name=engine,
                x=values.tolist(),
                y=share.tolist(),
                mode="lines",
                line=look.line(shape="hv"),
            )
        figure.update_xaxes(log_axis(_e2e_ms(outcome, cell), "end to end, ms"))
        figure.update_yaxes(SHARE_AXIS)
        panels.append(panel(cell_title(cell), figure))
    return panels


def timeline(outcome: ServingOutcome) -> list[Panel]:
    """Return, for each cell, latency against when a request was due; warm-up is faint."""
    styles = engine_looks(outcome)
    panels = []
    for cell in dict.fromkeys(row.cell for row in outcome.rows):
        figure = go.Figure()
        for visit in (visit for visit in outcome.visits if visit.cell == cell):
            for requests, opacity in ((visit.warmup, 0.4), (visit.requests, 1.0)):
                shown = [request for request in requests if request.outcome == "answered"]
                figure.add_scatter(
                    name=visit.engine,
                    x=[request.scheduled_ms / 1e3 for request in shown],
                    y=[request.e2e_ms for request in shown],
                    mode="markers",
                    marker=styles[visit.engine].marker(opacity=opacity),
                )
        figure.update_xaxes(title="due after, s")
        figure.update_yaxes(log_axis(_e2e_ms(outcome, cell), "end to end, ms"))
        panels.append(panel(cell_title(cell), figure))
    return panels


def _e2e_ms(outcome: ServingOutcome, cell: Cell) -> list[float]:
    """Return what axes of latency must hold in a cell."""
    visits = [visit for visit in outcome.visits if visit.cell == cell]
    requests = [request for visit in visits for request in (*visit.warmup, *visit.requests)]
    return [r.e2e_ms for r in requests if r.outcome == "answered"] or [1.0]


def _by_search(
    outcome: ServingOutcome,
) -> Iterator[tuple[str, Any, list[tuple[Look, list[ServedRow]]]]]:
    """Yield the search, an empty figure over rates, and look and rows, by rate, of each engine."""
    for search in dict.fromkeys(row.cell.search for row in outcome.rows):
        figure = go.Figure()
        rates = sorted({row.cell.rate_per_s for row in outcome.rows})
        figure.update_xaxes(log_axis(rates, "requests offered per second", rates))
        lines = []
        for engine, look in engine_looks(outcome).items():
            mine = [r for r in outcome.rows if (r.engine, r.cell.search) == (engine, search)]
            lines.append((look, sorted(mine, key=lambda row: row.cell.rate_per_s)))
        yield search, figure, lines


def _add_line(
    figure: Any, name: str, x: Sequence[float], y: Sequence[float], look: Look, dash: str
) -> None:
    figure.add_scatter(
        name=name,
        x=x,
        y=y,
        mode="lines+markers",
        line=look.line(dash=dash),
        marker=look.marker(size=7),
    )
