"""How the plots of all reports look, on light pages and on dark ones."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import plotly.graph_objects as go

# After Okabe and Ito; apart from each other also for those who see fewer colours.
PALETTE = ("#0072b2", "#c94f00", "#009e73", "#cc6fa5", "#e39c00", "#45a5e0")
_SHAPES = (("circle", "solid"), ("square", "dash"), ("diamond", "dot"))
STAGE_COLOURS: Mapping[str, str] = {
    "tokenise": "#6b7077",
    "featurise": "#969ba2",
    "encode": "#3566b8",
    "step": "#4f9ee3",
    "search": "#e0a100",
    "detokenise": "#bcc0c6",
}
GREY = "#7d848c"  # of the reference, and of text, for which the style sheet has better ones
_FAINT = "rgba(128, 134, 142, 0.22)"
_PLANE_PX, _ROW_PX = 230, 44
SHARE_AXIS = {"tickvals": [0, 50, 90, 100], "ticktext": ["0 %", "50 %", "90 %", "100 %"]}
_AXIS = {
    "gridcolor": _FAINT,
    "linecolor": _FAINT,
    "zeroline": False,
    "automargin": True,
    "title": {"font": {"size": 12}, "standoff": 6},
}
_TEMPLATE = go.layout.Template(
    layout={
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": GREY},
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "showlegend": False,  # the page has one for all plots
        "hovermode": "closest",
        "dragmode": False,  # a finger on a plot scrolls the page
        "barmode": "stack",
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
)


@dataclass(frozen=True)
class Look:
    """How an engine looks in all plots of a report; `dash` and `symbol` are plotly's names."""

    colour: str
    symbol: str
    dash: str

    def line(self, **style: Any) -> dict[str, Any]:
        """Return it as a plotly line."""
        return {"color": self.colour, "dash": self.dash, "width": 2, **style}

    def marker(self, **style: Any) -> dict[str, Any]:
        """Return it as plotly markers."""
        return {"color": self.colour, "symbol": self.symbol, "size": 5, **style}


class Panel(NamedTuple):
    """One plot, a plotly figure, with its title."""

    title: str
    figure: Any


def looks(engines: Iterable[str], references: Collection[str] = ()) -> dict[str, Look]:
    """Return the look of each engine, by name; a reference is grey, no two others are alike."""
    names = list(dict.fromkeys(engines))
    others = [name for name in names if name not in references]
    found = dict.fromkeys(references, Look(GREY, *_SHAPES[0]))
    for place, name in enumerate(others):
        shape = _SHAPES[place // len(PALETTE) % len(_SHAPES)]
        found[name] = Look(PALETTE[place % len(PALETTE)], *shape)
    return {name: found[name] for name in names}


def panel(title: str, figure: Any, height: int = _PLANE_PX) -> Panel:
    """Return the figure as all of them look, `height` pixels high and as wide as there is room."""
    figure.update_layout(template=_TEMPLATE, height=height)
    return Panel(title, figure)


def row_panel(title: str, figure: Any, names: Iterable[str], values: Iterable[str]) -> Panel:
    """Return a figure of rows, the first at y 0, the next at -1, and so on.

    Args:
        title: of the panel.
        figure: its marks.
        names: stand above each row on the left.
        values: on the right.
    """
    rows = 0
    for place, pair in enumerate(zip(names, values, strict=True)):
        for x, side, text in zip((0, 1), ("left", "right"), pair, strict=True):
            figure.add_annotation(
                {"text": text, "x": x, "xref": "paper", "xanchor": side, "y": -place},
                yanchor="bottom",
                yshift=5,
                showarrow=False,
            )
        rows += 1
    figure.update_yaxes(visible=False, range=[0.4 - rows, 0.6])
    return panel(title, figure, _ROW_PX * rows + 46)


def log_axis(
    values: Iterable[float], title: str = "", ticks: Sequence[float] = (), suffix: str = ""
) -> dict[str, Any]:
    """Return a logarithmic axis that holds all values.

    Its ticks are given, or three to five round numbers: plotly's own leave out the powers of ten.
    """
    found = [*values]
    low, high = min(found) / 1.1, max(found) * 1.1
    places = ticks or _round_ticks(low, high)
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "title": {"text": title},
        "tickvals": places,
        "ticktext": [f"{number(place)}{suffix}" for place in places],
    }


def _round_ticks(low: float, high: float) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5)):
        found = [digit * 10.0**exponent for exponent in exponents for digit in digits]
        inside = [value for value in found if low <= value <= high]
        if 3 <= len(inside) <= 5:
            return inside
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= rough)
    return [step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def shade(figure: Any, start: float, end: float) -> None:
    """Shade what lies between two places of the x axis."""
    figure.add_vrect(x0=start, x1=end, fillcolor=_FAINT, line_width=0, layer="below")


def number(value: float) -> str:
    """Return a number with three significant digits, at most.

    >>> number(0.01234), number(1234.0), number(20.0)
    ('0.0123', '1234', '20')
    """
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
