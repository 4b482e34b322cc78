"""What a scaling run hands on: the record that becomes `report.json`, its tables, its sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ..batches.summary import Ratio
from ..measuring.fingerprint import Circumstances
from ..measuring.stats import Interval
from ..reports.tables import Table, prose
from .growth import Cost, Growth, Point, Stretch
from .plan import AXES, ScalingPlan
from .slope import STAGES, TOLERANCE, Kind

_HEAD = (
    *("engine", "ms a dialogue [95 %]", "encode", "step", "search", "exponent from the last"),
    *("times faster than the reference", "replies"),
)
_STAGE_WORDS = {"encode": "the encoders", "step": "the decoder steps", "search": "the search"}
_MORE_WORK: dict[Kind, str] = {
    "below": "grows more slowly than linearly",
    "linear": "grows linearly",
    "above": "grows faster than linearly",
    "unclear": "may or may not grow linearly",
}
_MORE_HANDS: dict[Kind, str] = {
    "below": "falls faster than in proportion",
    "linear": "falls in proportion",
    "above": "is more than proportion allows",
    "unclear": "may or may not fall in proportion",
}


class ScalingOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured, and what it comes to.

    Attributes:
        points: the raw samples, in the order in which they were measured.
        ratios: of every engine but the reference, in that order.
        growths: what the points come to.
        failures: why the run fails; empty if it passes.
        warnings: what a reader must know.
    """

    points: list[Point]
    ratios: list[list[Ratio]]
    growths: list[Growth]
    failures: list[str]
    warnings: list[str]

    def along(self, axis: str) -> list[Growth]:
        """Return the growth of each engine along an axis."""
        return [growth for growth in self.growths if growth.axis == axis]


class ScalingReport(Circumstances, frozen=True, kw_only=True):
    """Everything in the `report.json` of a scaling run."""

    plan: ScalingPlan
    outcome: ScalingOutcome


def headline(report: ScalingReport) -> str:
    """Return the sentence of every engine on every axis, and failures."""
    lines = [sentence(growth) for growth in report.outcome.growths]
    return "\n".join([*lines, *(f"FAILED {failure}" for failure in report.outcome.failures)])


def brief(report: ScalingReport, folder: Path) -> dict[str, Any]:
    """Return what `--json` prints: growth along each axis, what failed, where the report lies."""
    return {
        "kind": report.plan.kind,
        "bundle_id": report.fingerprint.bundle_id,
        "failures": report.outcome.failures,
        "warnings": report.outcome.warnings,
        "growth": [
            {
                "axis": growth.axis,
                "engine": growth.engine,
                "values": [cost.value for cost in growth.costs],
                "batch_ms": [cost.batch_ms.value for cost in growth.costs],
                "exponents": [c.exponent.value for c in growth.costs if c.exponent is not None],
                "not_linear_from": growth.bends_at,
                "drift": growth.drift,
                "sentence": sentence(growth),
            }
            for growth in report.outcome.growths
        ],
        "report": str(folder),
    }


def axis_table(report: ScalingReport, axis: str) -> Table:
    """Return head and rows of one axis, engines together at each value."""
    growths = {g.engine: g for g in report.outcome.along(axis)}
    rows = []
    for point, ratios in zip(report.outcome.points, report.outcome.ratios, strict=True):
        if point.place.axis != axis or point.place.again:
            continue
        faster = {ratio.engine: str(ratio) for ratio in ratios}
        for verdict in point.verdicts:
            cost = next(c for c in growths[verdict.engine].costs if c.value == point.place.value)
            rows.append(
                [
                    f"{point.place.value:,}",
                    verdict.engine,
                    *_cost_cells(cost, point.place.setting.batch),
                    faster.get(verdict.engine, "–"),
                    str(verdict),
                ]
            )
    return [AXES[axis].unit, *_HEAD], rows


def _cost_cells(cost: Cost, batch: int) -> list[str]:
    """Return the cells of a cost, times divided by the dialogues of the batch."""
    whole = cost.batch_ms
    return [
        interval(Interval(whole.value / batch, whole.low / batch, whole.high / batch)),
        *(f"{cost.stages_ms[stage] / batch:.2f}" for stage in STAGES),
        "–" if cost.exponent is None else interval(cost.exponent),
    ]


def method(report: ScalingReport) -> str:
    """Return how it was measured, in one paragraph."""
    return prose(
        Path(__file__).with_name("method.txt"),
        plan=report.plan,
        base=report.plan.base,
        workload=report.workload,
        tolerance=TOLERANCE,
    )


def sentence(growth: Growth) -> str:
    """Return how cost grows, where that is not linear, and in which stage."""
    ideal = AXES[growth.axis].ideal
    parts = [_stretch(stretch, ideal) for stretch in growth.stretches]
    if growth.turns_read is not None:
        parts.append(_unread(growth))
    told = "; ".join(parts) or "was measured at one value only"
    return f"{growth.engine}, {growth.axis}: cost {told}."


def _stretch(stretch: Stretch, ideal: int) -> str:
    verb = (_MORE_WORK if ideal > 0 else _MORE_HANDS)[stretch.kind]
    exponent = interval(stretch.exponent)
    told = f"{verb} from {stretch.first:,} to {stretch.last:,} (exponent {exponent})"
    return told if stretch.kind in ("linear", "unclear") else f"{told}{_cause(stretch, ideal)}"


def _cause(stretch: Stretch, ideal: int) -> str:
    """Return the stage that most of the departure lies in, with the time of all of them."""
    main = stretch.departures[0]
    own = "" if main.exponent is None else f" (exponent {main.exponent:z.2f})"
    more = "more" if stretch.departure_ms > 0 else "less"
    sign = 1 if stretch.departure_ms > 0 else -1
    parts = ", ".join(f"{_STAGE_WORDS[d.stage]} {sign * d.ms:z.2f}" for d in stretch.departures)
    expected = "linear growth" if ideal > 0 else "proportion"
    return (
        f", mainly in {_STAGE_WORDS[main.stage]}{own}: at {stretch.last:,} a batch takes "
        f"{abs(stretch.departure_ms):.2f} ms {more} than by {expected} ({parts})"
    )


def _unread(growth: Growth) -> str:
    """Return from where on turns are not read, and what that does to cost."""
    beyond = [cost for cost in growth.costs if cost.value > (growth.turns_read or 0)]
    told = (
        f"from {beyond[0].value} on it is that of {growth.turns_read} turns, because the bundle "
        "reads no more (`max_turns`)"
    )
    if len(beyond) > 1:
        ratio = beyond[-1].batch_ms.value / beyond[0].batch_ms.value
        told += f": at {beyond[-1].value} it is {ratio:.2f} times that at {beyond[0].value}"
    return told


def interval(estimate: Interval) -> str:
    """Return an estimate with its interval."""
    return f"{estimate.value:z.2f} [{estimate.low:z.2f}, {estimate.high:z.2f}]"
