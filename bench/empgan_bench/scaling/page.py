"""A scaling report as Markdown and as one offline page."""

from __future__ import annotations

from ..reports import markdown
from ..reports.page import Card, Line, Page, Plots, equal_replies, rendered
from ..reports.theme import Look, looks
from .growth import Growth
from .plots import growth_curve, stage_stacks
from .report import ScalingReport, axis_table, method, sentence
from .slope import STAGES


def render_markdown(report: ScalingReport) -> str:
    """Return the report for people: what is to be said of each axis, then its table."""
    outcome = report.outcome
    parts = [markdown.marks(outcome.failures, outcome.warnings)]
    for axis in report.plan.axes:
        told = "\n".join(f"- {sentence(growth)}" for growth in outcome.along(axis))
        parts += [f"## {axis}", told, markdown.table(*axis_table(report, axis))]
    return markdown.text(report, report.plan.kind, parts, method(report))


def render_page(report: ScalingReport) -> str:
    """Return the page: a card for each axis, then plots, tables, circumstances and method."""
    outcome, axes = report.outcome, report.plan.axes
    ratios = [ratio for ratios in outcome.ratios for ratio in ratios]
    references = {ratio.reference for ratio in ratios}
    styles = looks((growth.engine for growth in outcome.growths), references)
    shown = Page(
        title=f"Scaling of {report.bundle}",
        passed=equal_replies(ratio.verdict for ratio in ratios),
        cards=("How cost grows", [_card(report, axis, styles) for axis in axes]),
        looks=styles,
        plots=[_plots(report, axis, styles) for axis in axes],
        tables={f"Along {axis}": axis_table(report, axis) for axis in axes},
        method=method(report),
    )
    return rendered(report, shown)


def _card(report: ScalingReport, axis: str, styles: dict[str, Look]) -> Card:
    """Return what became of each engine along an axis."""
    base = getattr(report.plan.base, axis)
    lines = [
        Line(
            growth.engine,
            _verdict(growth),
            [
                f"{stretch.first:,} to {stretch.last:,}: {stretch.exponent.value:z.2f}"
                for stretch in growth.stretches
            ],
            styles[growth.engine],
        )
        for growth in report.outcome.along(axis)
    ]
    return Card(axis, lines, f"exponents; base point {base:,}")


def _verdict(growth: Growth) -> str:
    """Return in a few words how cost grows."""
    if growth.bends_at is not None:
        first = growth.bends_at == growth.costs[0].value
        return "not linear" if first else f"bends at {growth.bends_at:,}"
    kinds = {stretch.kind for stretch in growth.stretches}
    return "linear" if kinds == {"linear"} else "unclear"


def _plots(report: ScalingReport, axis: str, styles: dict[str, Look]) -> Plots:
    return Plots(
        f"along-{axis}",
        f"Along {axis}",
        "First ms of a batch, both axes logarithmic, with intervals; dotted: linear from the base "
        "point. Then where the time of a dialogue goes, medians.",
        [growth_curve(report, axis, styles), *stage_stacks(report, axis)],
        [sentence(growth) for growth in report.outcome.along(axis)],
        STAGES,
    )
