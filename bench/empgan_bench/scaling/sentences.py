"""What is told of growth: one sentence for an engine on an axis, made of its numbers alone."""

from __future__ import annotations

from ..measuring.stats import Interval
from .growth import Growth, Stretch
from .plan import AXES
from .slope import Kind

_STAGES = {"encode": "the encoders", "step": "the decoder steps", "search": "the search"}
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
    parts = ", ".join(f"{_STAGES[d.stage]} {sign * d.ms:z.2f}" for d in stretch.departures)
    expected = "linear growth" if ideal > 0 else "proportion"
    return (
        f", mainly in {_STAGES[main.stage]}{own}: at {stretch.last:,} a batch takes "
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
