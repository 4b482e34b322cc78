"""The plots of a scaling report: growth along an axis, and what the stages make of it."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from .axes import AXES
from .growth import Growth
from .plots import PALETTE, STAGES, finish
from .scaling_report import ScalingReport


def growth_curves(report: ScalingReport, axis: str) -> Any:
    """Return ms of a batch over the values, both logarithmic, with linear cost dashed."""
    figure = go.Figure()
    for growth, colour in _engines(report, axis):
        values = [cost.value for cost in growth.costs]
        times = [cost.batch_ms for cost in growth.costs]
        figure.add_scatter(
            name=growth.engine,
            x=values,
            y=[time.value for time in times],
            mode="lines+markers",
            line_color=colour,
            legendgroup=growth.engine,
            error_y={
                "array": [time.high - time.value for time in times],
                "arrayminus": [time.value - time.low for time in times],
            },
        )
        base = getattr(report.plan.base, axis)
        at_base = times[values.index(base)].value
        ends = [values[0], values[-1]]
        figure.add_scatter(
            name=f"{growth.engine}, if linear from the base point",
            x=ends,
            y=[at_base * (value / base) ** AXES[axis].ideal for value in ends],
            mode="lines",
            line={"color": colour, "dash": "dash", "width": 1},
            legendgroup=growth.engine,
        )
    ticks = {"tickvals": values, "ticktext": [f"{value:,}" for value in values]}
    figure.update_xaxes(type="log", title=AXES[axis].unit, **ticks)
    figure.update_yaxes(type="log", title="ms per batch")
    return finish(figure, f"Cost along {axis} (dashed: linear)", 460)


def stage_stack(report: ScalingReport, axis: str) -> Any:
    """Return encode, step and search stacked at each value, one bar per engine."""
    figure = go.Figure()
    batches = {
        point.place.value: point.place.setting.batch
        for point in report.points
        if point.place.axis == axis
    }
    for place, (growth, colour) in enumerate(_engines(report, axis)):
        for field, stage, opacity in STAGES:
            name = field.removesuffix("_ms")
            figure.add_bar(
                name=f"{growth.engine}: {stage}",
                x=[f"{cost.value:,}" for cost in growth.costs],
                y=[cost.stages_ms[name] / batches[cost.value] for cost in growth.costs],
                marker_color=colour,
                marker_opacity=opacity,
                offsetgroup=str(place),
                legendgroup=growth.engine,
            )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(type="category", title=AXES[axis].unit)
    figure.update_yaxes(title="ms per dialogue")
    return finish(figure, f"Where the time goes along {axis} (medians)", 420)


def _engines(report: ScalingReport, axis: str) -> list[tuple[Growth, str]]:
    """Return the growth of each engine along an axis, with its colour."""
    along = [growth for growth in report.growths if growth.axis == axis]
    return [(growth, PALETTE[i % len(PALETTE)]) for i, growth in enumerate(along)]
