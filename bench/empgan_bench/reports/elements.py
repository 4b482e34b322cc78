"""The parts of a page as HTML: cards of headline figures, plots with their legend, tables.

`page.html` holds their markup and escapes whatever is not `Markup`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .theme import STAGE_COLOURS, Look, Panel

NOTHING = Markup()
_NUMBER = re.compile(r"[\d.,–%]*")
_SHORT = 20  # characters of a fact on a card
_CONFIG = {"displayModeBar": False, "responsive": True}


def rendered(macro: str, **values: object) -> Markup:
    """Return what a macro of `page.html` writes."""
    return Markup(getattr(_macros(), macro)(**values))  # escaped there


@functools.cache
def _macros() -> Any:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page.html").module


def section(title: str, inner: Markup, note: str = "", anchor: str = "") -> Markup:
    """Return a section of the page."""
    return rendered("section", title=title, inner=inner, note=note, anchor=anchor)


def cards(title: str, found: Iterable[Markup], anchor: str = "") -> Markup:
    """Return a section of `card`s."""
    return section(title, rendered("cards", found=found), anchor=anchor)


def card(title: str, lines: Iterable[Markup], foot: str) -> Markup:
    """Return a card of `card_line`s, with what is said below them."""
    return rendered("card", title=title, lines=lines, foot=foot)


def card_line(
    name: str, figure: str, facts: Iterable[str], tag: Markup = NOTHING, *, failed: bool = False
) -> Markup:
    """Return a line of a card."""
    facts = (f.replace(" ", "\N{NO-BREAK SPACE}") if len(f) <= _SHORT else f for f in facts)
    return rendered("card_line", name=name, figure=figure, facts=facts, tag=tag, failed=failed)


def engine_name(name: str, look: Look) -> Markup:
    """Return the name of an engine with its mark."""
    return rendered("engine_name", name=name, look=look)


def tag(text: str, kind: str) -> Markup:
    """Return a remark; "good" and "doubt" are its kinds."""
    return rendered("tag", text=text, kind=kind)


def legend(looks: Mapping[str, Look]) -> Markup:
    """Return which engine looks how, in all plots of the page."""
    return rendered("legend", looks=looks)


def stage_key(stages: Iterable[str]) -> Markup:
    """Return which stage has which colour."""
    return rendered("stage_key", colours={stage: STAGE_COLOURS[stage] for stage in stages})


def told(lines: Iterable[str]) -> Markup:
    """Return lines of text as a list."""
    return rendered("told", lines=lines)


def plot_section(
    anchor: str, title: str, note: str, panels: Sequence[Panel], above: Markup = NOTHING
) -> Markup:
    """Return a section of plots, side by side where there is room."""
    plots = rendered("panels", found=[(panel.title, _plot(panel)) for panel in panels])
    return section(title, above + plots, note, anchor)


def _plot(panel: Panel) -> Markup:
    written = panel.figure.to_html(full_html=False, include_plotlyjs=False, config=_CONFIG)
    return Markup(written)  # Plotly escapes what it writes into its script


def table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "scroll") -> Markup:
    """Return a table in a box that scrolls by itself; lines that failed stand out."""
    columns = zip(*rows, strict=True)
    numbers = [all(map(_NUMBER.fullmatch, column)) for column in columns]
    lines = [(any(cell.startswith("FAILED") for cell in cells), cells) for cells in rows]
    return rendered("table", head=head, rows=lines, numbers=numbers, kind=kind)
