"""The plots of a scaling report: growth along an axis, and what the stages make of it."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from ..reports.theme import STAGE_COLOURS, Look, Panel, log_axis, panel
from .plan import AXES
from .report import ScalingReport
from .slope import STAGES


def growth_curve(report: ScalingReport, axis: str, styles: Mapping[str, Look]) -> Panel:
    """Return ms of a batch over the values, both logarithmic, with linear cost dotted."""
    figure = go.Figure()
    base = getattr(report.plan.base, axis)
    every: list[float] = []
    for growth in report.outcome.along(axis):
        look = styles[growth.engine]
        values = [cost.value for cost in growth.costs]
        times = [cost.batch_ms for cost in growth.costs]
        every += [end for time in times for end in (time.low, time.high)]
        figure.add_scatter(
            name=growth.engine,
            x=values,
            y=[time.value for time in times],
            mode="lines+markers",
            line=look.line(),
            marker=look.marker(size=7),
            error_y={
                "array": [time.high - time.value for time in times],
                "arrayminus": [time.value - time.low for time in times],
            },
        )
        at_base = times[values.index(base)].value
        ends = [values[0], values[-1]]
        figure.add_scatter(
            name=f"{growth.engine}, if linear from the base point",
            x=ends,
            y=[at_base * (value / base) ** AXES[axis].ideal for value in ends],
            mode="lines",
            line=look.line(dash="dot", width=1),
        )
    figure.update_xaxes(log_axis(values, AXES[axis].unit, values))
    figure.update_yaxes(log_axis(every, "ms per batch"))
    return panel("cost of a batch", figure)


def stage_stacks(report: ScalingReport, axis: str) -> list[Panel]:
    """Return for each engine encode, step and search stacked at each value."""
    batches = {
        point.place.value: point.place.setting.batch
        for point in report.outcome.points
        if point.place.axis == axis
    }
    panels = []
    for growth in report.outcome.along(axis):
        figure = go.Figure()
        for stage in STAGES:
            figure.add_bar(
                name=stage,
                x=[f"{cost.value:,}" for cost in growth.costs],
                y=[cost.stages_ms[stage] / batches[cost.value] for cost in growth.costs],
                marker_color=STAGE_COLOURS[stage],
            )
        figure.update_xaxes(type="category", title=AXES[axis].unit)
        figure.update_yaxes(title="ms per dialogue")
        panels.append(panel(f"{growth.engine}: stages", figure))
    return panels
