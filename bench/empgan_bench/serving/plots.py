"""The plots of a served run as plotly figures; an engine has one colour in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..plots import colours, finish
from .plan import ServingOutcome
from .summary import ServedRow

_DASHES = {"p50": "solid", "p95": "dash", "p99": "dot"}
_SYMBOLS = ("circle", "square", "diamond", "cross", "x")  # of the beams
_ROW_PX = 300


def figures(outcome: ServingOutcome) -> list[Any]:
    """Return all plots: over the rate first, then of each cell."""
    return [
        latency_over_rate(outcome),
        goodput_over_rate(outcome),
        latency_ecdf(outcome),
        latency_over_time(outcome),
    ]


def latency_over_rate(outcome: ServingOutcome) -> Any:
    """Return percentiles of end-to-end latency against the offered rate, both logarithmic."""
    figure = go.Figure()
    for label, style, rows in _lines(outcome):
        for name, dash in _DASHES.items():
            points = [
                (row.cell.rate_per_s, getattr(row.e2e_ms, name))
                for row in rows
                if row.e2e_ms is not None and getattr(row.e2e_ms, name) is not None
            ]
            if points:
                rates, values = zip(*points, strict=True)
                figure.add_scatter(
                    x=rates, y=values, name=f"{label}, {name}", line_dash=dash, **style
                )
    figure.update_xaxes(title="requests offered per second", type="log")
    figure.update_yaxes(title="end to end, ms", type="log")
    return finish(figure, "Latency against offered rate", 460)


def goodput_over_rate(outcome: ServingOutcome) -> Any:
    """Return which share of the requests was good, and which was answered, against the rate."""
    figure = go.Figure()
    for label, style, rows in _lines(outcome):
        lost = [row.refused + row.late + row.failed for row in rows]
        answered = [row.answered / (row.answered + n) for row, n in zip(rows, lost, strict=True)]
        for name, dash, shares in (
            ("good", "solid", [row.goodput for row in rows]),
            ("answered", "dot", answered),
        ):
            figure.add_scatter(
                x=[row.cell.rate_per_s for row in rows],
                y=shares,
                name=f"{label}, {name}",
                text=[f"{row.goodput_per_s:.2f} good ones per second" for row in rows],
                line_dash=dash,
                **style,
            )
    figure.update_xaxes(title="requests offered per second", type="log")
    figure.update_yaxes(title="share of requests", range=[0.0, 1.05])
    return finish(figure, "Goodput against offered rate", 460)


def latency_ecdf(outcome: ServingOutcome) -> Any:
    """Return, for each cell, which share of the answered was done after how many ms."""
    figure, places = _grid(outcome, "end to end, ms", "share of requests")
    for engine, cell in dict.fromkeys((visit.engine, str(visit.cell)) for visit in outcome.visits):
        values = np.sort(
            [
                request.e2e_ms
                for visit in outcome.visits
                if (visit.engine, str(visit.cell)) == (engine, cell)
                for request in visit.requests
                if request.outcome == "answered"
            ]
        )
        share = np.arange(1, len(values) + 1) / max(len(values), 1)
        figure.add_scatter(
            x=values.tolist(),
            y=share.tolist(),
            mode="lines",
            line_shape="hv",
            **_style(outcome, engine, first=cell == next(iter(places))),
            **places[cell],
        )
    return finish(figure, "End-to-end latency, cumulated", _height(places))


def latency_over_time(outcome: ServingOutcome) -> Any:
    """Return, for each cell, latency against when a request was due; warm-up is hollow."""
    figure, places = _grid(outcome, "due after, s", "end to end, ms")
    for visit in outcome.visits:
        cell = str(visit.cell)
        shown = [r for r in (*visit.warmup, *visit.requests) if r.outcome == "answered"]
        warm = set(map(id, visit.warmup))
        symbols = ["circle-open" if id(request) in warm else "circle" for request in shown]
        figure.add_scatter(
            x=[request.scheduled_ms / 1e3 for request in shown],
            y=[request.e2e_ms for request in shown],
            mode="markers",
            marker={"symbol": symbols, "size": 5},
            **_style(outcome, visit.engine, first=cell == next(iter(places)) and not visit.number),
            **places[cell],
        )
    return finish(figure, "Latency over the run (hollow: warm-up)", _height(places))


def _lines(outcome: ServingOutcome) -> Iterator[tuple[str, dict[str, str], list[ServedRow]]]:
    """Yield label, colour with symbol, and rows, by rate, of each engine and beam."""
    beams = list(dict.fromkeys(row.cell.beam for row in outcome.rows))
    for engine, colour in colours(row.engine for row in outcome.rows).items():
        for place, beam in enumerate(beams):
            mine = [r for r in outcome.rows if (r.engine, r.cell.beam) == (engine, beam)]
            label = f"{engine}, beam {beam}" if len(beams) > 1 else engine
            style = {"line_color": colour, "marker_symbol": _SYMBOLS[place % len(_SYMBOLS)]}
            yield label, style, sorted(mine, key=lambda row: row.cell.rate_per_s)


def _grid(outcome: ServingOutcome, x: str, y: str) -> tuple[Any, dict[str, dict[str, int]]]:
    """Return a figure with a row for each beam and a panel for each rate, and where each is."""
    cells = list(dict.fromkeys(row.cell for row in outcome.rows))
    beams = list(dict.fromkeys(cell.beam for cell in cells))
    columns = len(cells) // len(beams)
    figure = make_subplots(len(beams), columns, subplot_titles=[str(cell) for cell in cells])
    figure.update_annotations(font_size=11)
    figure.update_xaxes(title=x, title_font_size=11)
    figure.update_yaxes(title=y, title_font_size=11, col=1)
    return figure, {
        str(cell): {"row": place // columns + 1, "col": place % columns + 1}
        for place, cell in enumerate(cells)
    }


def _style(outcome: ServingOutcome, engine: str, *, first: bool) -> dict[str, Any]:
    colour = colours(row.engine for row in outcome.rows)[engine]
    return {
        "name": engine,
        "legendgroup": engine,
        "showlegend": first,
        "line_color": colour,
        "marker_color": colour,
    }


def _height(places: dict[str, dict[str, int]]) -> int:
    return 140 + _ROW_PX * max(place["row"] for place in places.values())
