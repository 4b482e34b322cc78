"""Small charts as SVG that needs no script: scales, frames, and what is drawn inside.

Places across are percentages and text keeps its size, so a chart fits any width. Colours come from
classes, so the page's style sheet decides them, light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_MOST_TICKS, _FEWEST_TICKS = 5, 3

Point = tuple[float, float]
"""(x, y) in percent of a chart, y from its top."""


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` on an axis, `logarithmic` or not."""

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, values: Iterable[float], *, logarithmic: bool = False) -> Scale:
        """Return a scale that holds all values with a little room."""
        found = [*values]
        low, high = min(found), max(found)
        if logarithmic:
            return cls(low / 1.1, high * 1.1, True)
        return cls(low, high if high > low else low + 1.0, False)

    def place(self, value: float) -> float:
        """Return where a value lies, 0 to 100."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return 100.0 * (value - low) / (high - low)

    def ticks(self) -> list[float]:
        """Return three to five round values on the scale, or as many as there are."""
        if not self.logarithmic:
            return self._steps()
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for digits in ((1,), (1, 3), (1, 2, 5)):
            found = [digit * 10.0**exponent for exponent in exponents for digit in digits]
            inside = [value for value in found if self.low <= value <= self.high]
            if _FEWEST_TICKS <= len(inside) <= _MOST_TICKS:
                return inside
        return self._steps()

    def labels(self, unit: str = "") -> list[tuple[float, str]]:
        """Return the ticks, each with what is written beside it."""
        return [(value, f"{number(value)}{unit}") for value in self.ticks()]

    def _steps(self) -> list[float]:
        """Return the multiples of 1, 2 or 5 times a power of ten."""
        rough = (self.high - self.low) / _MOST_TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= rough)
        first = math.ceil(self.low / step)
        return [step * number for number in range(first, math.floor(self.high / step) + 1)]


def number(value: float) -> str:
    """Return a number with three significant digits, at most.

    >>> number(0.01234), number(1234.0), number(20.0)
    ('0.0123', '1234', '20')
    """
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def text(x: str, y: str, content: str, kind: str = "") -> str:
    """Return a line of text; `x` and `y` are lengths such as "50%"."""
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(content)}</text>'


def bar(x: float, width: float, y: float, height: float, kind: str, title: str) -> str:
    """Return a bar; x and width in percent, y and height in px."""
    return (
        f'<rect x="{x:.2f}%" width="{max(width, 0.0):.2f}%" y="{y:g}" height="{height:g}" '
        f'class="{kind}"><title>{escape(title)}</title></rect>'
    )


def line(points: Sequence[Point], kind: str) -> str:
    """Return a line through the points."""
    return _path("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points), f"line {kind}")


def dots(points: Iterable[Point], kind: str) -> str:
    """Return a dot at each point."""
    return _path("".join(f"M{x:.2f} {y:.2f}h0" for x, y in points), f"dots {kind}")


def _path(data: str, kind: str) -> str:
    return f'<path d="{data}" class="{kind}" vector-effect="non-scaling-stroke"/>'


def across(scale: Scale, ticks: Sequence[tuple[float, str]], height: float) -> str:
    """Return upright grid lines with their labels below, for a chart of `height` px."""
    parts = []
    for value, label in ticks:
        x = f"{scale.place(value):.2f}%"
        parts.append(f'<line x1="{x}" x2="{x}" y1="0" y2="{height:g}" class="grid"/>')
        parts.append(text(x, f"{height + 16:g}", label, "tick middle"))
    return "".join(parts)


def upwards(scale: Scale, ticks: Sequence[tuple[float, str]]) -> str:
    """Return level grid lines with their labels on the left."""
    parts = []
    for value, label in ticks:
        y = f"{100.0 - scale.place(value):.2f}%"
        parts.append(f'<line x1="0" x2="100%" y1="{y}" y2="{y}" class="grid"/>')
        parts.append(f'<text x="-8" y="{y}" dy="0.35em" class="tick end">{escape(label)}</text>')
    return "".join(parts)


def stretched(content: str) -> str:
    """Return `line`s and `dots` laid over the whole chart."""
    return f'<svg viewBox="0 0 100 100" preserveAspectRatio="none">{content}</svg>'


def panel(title: str, content: str, height: float, kind: str) -> str:
    """Return one chart of `height` px with its title above; "rows" and "plane" are its kinds."""
    return (
        f'<figure class="panel {kind}"><figcaption>{escape(title)}</figcaption>'
        f'<svg style="height:{height:g}px" role="img" aria-label="{escape(title)}">{content}</svg>'
        "</figure>"
    )
