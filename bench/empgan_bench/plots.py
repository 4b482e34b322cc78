"""The plots of a report as plotly figures; an engine has one colour in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .engines import PEERS, YARDSTICKS, label
from .gate import Cell
from .suite import Outcome
from .summary import Row
from .timing import Series

_PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")  # Okabe and Ito
_STAGES = (("encode_ms", "encode", 1.0), ("step_ms", "step", 0.65), ("search_ms", "search", 0.35))
_ROW_PX = 260


def ratio_bars(outcome: Outcome) -> Any:
    """Return the speed-up over the reference by cell, with intervals; failed cells have no bar."""
    figure = go.Figure()
    colours = _colours(outcome.rows)
    for engine in dict.fromkeys(r.engine for r in outcome.ratios):
        mine = [r for r in outcome.ratios if r.engine == engine and r.verdict.passed]
        values = [r.speedup.value for r in mine]
        figure.add_bar(
            name=engine,
            x=[_label(r.cell) for r in mine],
            y=values,
            text=[f"{value:.2f}×" for value in values],
            textposition="inside",
            insidetextanchor="start",  # at the foot, clear of the interval
            marker_color=colours[engine],
            error_y={
                "array": [r.speedup.high - r.speedup.value for r in mine],
                "arrayminus": [r.speedup.value - r.speedup.low for r in mine],
            },
        )
    figure.add_hline(y=1.0, line_dash="dash", line_color="#666666")
    reference = outcome.ratios[0].reference if outcome.ratios else ""
    figure.update_yaxes(title=f"times faster than {reference}", rangemode="tozero")
    return _finish(figure, "Ratio to the reference (above the dashed line is faster)", 420)


def throughput_bars(outcome: Outcome) -> Any:
    """Return dialogues per second by cell and engine."""
    figure = go.Figure()
    for engine, colour in _colours(outcome.rows).items():
        if engine in YARDSTICKS:  # they answer no dialogue
            continue
        mine = [row for row in outcome.rows if row.engine == engine]
        rates = [row.dialogues_per_s for row in mine]
        figure.add_bar(
            name=engine,
            x=[_label(row.cell) for row in mine],
            y=[rate.p50 for rate in rates],
            marker_color=colour,
            error_y={
                "array": [rate.p50_high - rate.p50 for rate in rates],
                "arrayminus": [rate.p50 - rate.p50_low for rate in rates],
            },
        )
    figure.update_yaxes(title="dialogues per second")
    return _finish(figure, "Throughput", 420)


def stage_stack(outcome: Outcome) -> Any:
    """Return encode, step and search stacked for each cell, one bar per engine.

    Peers tell no parts and have no bar.
    """
    figure = go.Figure()
    for place, (engine, colour) in enumerate(_colours(outcome.rows).items()):
        if engine in PEERS:
            continue
        mine = [row for row in outcome.rows if row.engine == engine]
        for field, stage, opacity in _STAGES:
            figure.add_bar(
                name=f"{label(engine)}: {stage}",
                x=[_label(row.cell) for row in mine],
                y=[getattr(row, field).p50 / row.cell.batch for row in mine],
                marker_color=colour,
                marker_opacity=opacity,
                offsetgroup=str(place),
                legendgroup=engine,
            )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title="ms per dialogue")
    return _finish(figure, "Where the time goes (medians)", 460)


def latency_ecdf(outcome: Outcome) -> Any:
    """Return, for each cell, which share of batches was done after how many ms."""
    figure, places = _grid(outcome.series, "ms", "share of batches")
    for series, where, style in _traces(outcome, places):
        values = np.sort([t.total_ms for visit in series.visits for t in visit.timings])
        share = np.arange(1, len(values) + 1) / len(values)
        figure.add_scatter(
            x=values.tolist(), y=share.tolist(), mode="lines", line_shape="hv", **style, **where
        )
    return _finish(figure, "Latency, cumulated", _height(places))


def latency_over_time(outcome: Outcome) -> Any:
    """Return, for each cell, the ms of every batch in order; warm-up is hollow, left of zero."""
    figure, places = _grid(outcome.series, "batch number", "ms")
    for series, where, style in _traces(outcome, places):
        warm = [timing.total_ms for timing in series.warmup]
        values = [t.total_ms for visit in series.visits for t in visit.timings]
        symbols = ["circle-open"] * len(warm) + ["circle"] * len(values)
        figure.add_scatter(
            x=list(range(-len(warm), len(values))),
            y=warm + values,
            mode="markers",
            marker={"symbol": symbols, "size": 5},
            **style,
            **where,
        )
    return _finish(figure, "Latency over iterations (hollow: warm-up)", _height(places))


def _grid(every: Sequence[Series], x: str, y: str) -> tuple[Any, dict[str, tuple[int, int]]]:
    """Return a figure with a panel for each cell, and the (row, column) of each."""
    cells = list(dict.fromkeys(str(series.cell) for series in every))
    columns = min(len(cells), 4)
    rows = -(-len(cells) // columns)
    figure = make_subplots(rows, columns, subplot_titles=cells, vertical_spacing=0.35 / rows)
    figure.update_annotations(font_size=11)
    figure.update_xaxes(title=x, title_font_size=11)
    figure.update_yaxes(title=y, title_font_size=11, col=1)
    places = {cell: (i // columns + 1, i % columns + 1) for i, cell in enumerate(cells)}
    return figure, places


def _traces(
    outcome: Outcome, places: dict[str, tuple[int, int]]
) -> list[tuple[Series, dict[str, int], dict[str, Any]]]:
    """Return each series with its panel and its style; an engine is in the legend once."""
    colours = _colours(outcome.rows)
    first: dict[str, Cell] = {}
    found = []
    for series in outcome.series:
        row, column = places[str(series.cell)]
        style = {
            "name": label(series.engine),
            "legendgroup": series.engine,
            "showlegend": first.setdefault(series.engine, series.cell) == series.cell,
            "line_color": colours[series.engine],
            "marker_color": colours[series.engine],
        }
        found.append((series, {"row": row, "col": column}, style))
    return found


def _colours(rows: Sequence[Row]) -> dict[str, str]:
    engines = dict.fromkeys(row.engine for row in rows)
    return {name: _PALETTE[i % len(_PALETTE)] for i, name in enumerate(engines)}


def _label(cell: Cell) -> str:
    return f"batch {cell.batch}<br>beam {cell.beam}<br>{cell.mode}"


def _height(places: dict[str, tuple[int, int]]) -> int:
    return 140 + _ROW_PX * max(row for row, _ in places.values())


def _finish(figure: Any, title: str, height: int) -> Any:
    figure.update_layout(title=title, height=height, template="plotly_white")
    return figure
