"""The page of every kind of report: one HTML file that loads nothing, and its policy forbids it to.

Its order is the same in all: what was measured where, headline figures, plots, tables,
circumstances, method. `page.html` holds the markup and escapes whatever is not `Markup`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ..measuring.fingerprint import Circumstances
from ..measuring.gate import Verdict
from .tables import Table, circumstances
from .theme import STAGE_COLOURS, Look, Panel

_NUMBER = re.compile(r"[\d.,–%]*")
_SHORT = 20  # characters of a fact on a card
_SHOWN_FAILURES = 4  # more are folded; the cards have them too
_CONFIG = {"displayModeBar": False, "responsive": True}


class Line(NamedTuple):
    """A line of a card.

    Attributes:
        name: what has the figure.
        figure: shown large.
        facts: shown small below it.
        look: the mark before the name.
        tag: a remark and its kind, "good" or "doubt".
        failed: whether the figure stands out.
    """

    name: str
    figure: str
    facts: Iterable[str]
    look: Look | None = None
    tag: tuple[str, str] | None = None
    failed: bool = False


class Card(NamedTuple):
    """Headline figures, with what is said below them."""

    title: str
    lines: Sequence[Line]
    foot: str


class Plots(NamedTuple):
    """A section of plots, side by side where there is room.

    Attributes:
        note: what they show.
        told: what is said above them.
        stages: whose colours are named above them.
    """

    anchor: str
    title: str
    note: str
    panels: Sequence[Panel]
    told: Sequence[str] = ()
    stages: Sequence[str] = ()


class Page(NamedTuple):
    """What a page shows of its report.

    Attributes:
        passed: what holds, if nothing failed.
        cards: the headline figures, with their title.
        looks: which engine looks how, in all plots.
        tables: everything in figures, by title; empty ones are left out.
        method: how it was measured.
        cold_starts: more cards, below the plots.
    """

    title: str
    passed: Iterable[str]
    cards: tuple[str, Sequence[Card]]
    looks: Mapping[str, Look]
    plots: Iterable[Plots]
    tables: Mapping[str, Table]
    method: str
    cold_starts: Sequence[Card] = ()


def rendered(report: Circumstances, page: Page) -> str:
    """Return a whole page; the report's `outcome` has failures and warnings."""
    return _template().render(
        plotly=Markup(get_plotlyjs()),  # no value of a report is in it
        report=report,
        page=page,
        most_shown=_SHOWN_FAILURES,
        colours=STAGE_COLOURS,
        circumstances=circumstances(report),
    )


def equal_replies(verdicts: Iterable[Verdict]) -> list[str]:
    """Return what is said if the gate has let exact engines pass; nothing if there was none."""
    exact = any(not verdict.approximate for verdict in verdicts)
    return ["Every exact engine wrote the reference's replies."] if exact else []


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    filters = (_unbroken, _drawn, _are_numbers, _has_failed)
    environment.filters |= {found.__name__.lstrip("_"): found for found in filters}
    return environment.get_template("page.html")


def _unbroken(fact: str) -> str:
    return fact.replace(" ", "\N{NO-BREAK SPACE}") if len(fact) <= _SHORT else fact


def _drawn(panel: Panel) -> Markup:
    written = panel.figure.to_html(full_html=False, include_plotlyjs=False, config=_CONFIG)
    return Markup(written)  # Plotly escapes what it writes into its script


def _has_failed(cells: Iterable[str]) -> bool:
    return any(cell.startswith("FAILED") for cell in cells)


def _are_numbers(rows: Sequence[Sequence[str]]) -> list[bool]:
    """Return of each column whether it holds numbers alone."""
    return [all(map(_NUMBER.fullmatch, column)) for column in zip(*rows, strict=True)]
