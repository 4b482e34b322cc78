"""A scaling report as Markdown and as one offline page."""

from __future__ import annotations

from markupsafe import Markup

from ..reports import elements, markdown
from ..reports.document import closing, document, equal_replies, masthead
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
    outcome = report.outcome
    title = f"Scaling of {report.bundle}"
    passed = equal_replies(ratio.verdict for ratios in outcome.ratios for ratio in ratios)
    references = {ratio.reference for ratios in outcome.ratios for ratio in ratios}
    styles = looks((growth.engine for growth in outcome.growths), references)
    cards = (_card(report, axis, styles) for axis in report.plan.axes)
    tables = {f"Along {axis}": axis_table(report, axis) for axis in report.plan.axes}
    parts = [
        masthead(report, title, passed, outcome.failures, outcome.warnings),
        elements.cards("How cost grows", cards),
        elements.legend(styles),
        *(_plots(report, axis, styles) for axis in report.plan.axes),
        closing(report, tables, method(report)),
    ]
    return document(title, parts)


def _card(report: ScalingReport, axis: str, styles: dict[str, Look]) -> Markup:
    """Return what became of each engine along an axis."""
    base = getattr(report.plan.base, axis)
    lines = [
        elements.card_line(
            elements.engine_name(growth.engine, styles[growth.engine]),
            _verdict(growth),
            [
                f"{stretch.first:,} to {stretch.last:,}: {stretch.exponent.value:z.2f}"
                for stretch in growth.stretches
            ],
        )
        for growth in report.outcome.along(axis)
    ]
    return elements.card(axis, lines, f"exponents; base point {base:,}")


def _verdict(growth: Growth) -> str:
    """Return in a few words how cost grows."""
    if growth.bends_at is not None:
        first = growth.bends_at == growth.costs[0].value
        return "not linear" if first else f"bends at {growth.bends_at:,}"
    kinds = {stretch.kind for stretch in growth.stretches}
    return "linear" if kinds == {"linear"} else "unclear"


def _plots(report: ScalingReport, axis: str, styles: dict[str, Look]) -> Markup:
    growths = report.outcome.along(axis)
    told = elements.told(sentence(growth) for growth in growths)
    panels = [growth_curve(report, axis, styles), *stage_stacks(report, axis)]
    return elements.plot_section(
        f"along-{axis}",
        f"Along {axis}",
        "First ms of a batch, both axes logarithmic, with intervals; dotted: linear from the base "
        "point. Then where the time of a dialogue goes, medians.",
        panels,
        told + elements.stage_key(STAGES),
    )
