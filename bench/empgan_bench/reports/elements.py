"""The parts of a page as HTML: cards of headline figures, plots with their legend, tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from .theme import STAGE_COLOURS, Look, Panel

_NUMBER = re.compile(r"[\d.,–%]*")
_SHORT = 20  # characters of a fact on a card
_CONFIG = {"displayModeBar": False, "responsive": True}


def section(title: str, inner: str, note: str = "", anchor: str = "") -> str:
    """Return a section of the page; `inner` is HTML, the rest is not."""
    name = f' id="{anchor}"' if anchor else ""
    told = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section{name}><h2>{escape(title)}</h2>{told}{inner}</section>"


def cards(title: str, found: Iterable[str], anchor: str = "") -> str:
    """Return a section of `card`s."""
    return section(title, f'<div class="cards">{"".join(found)}</div>', anchor=anchor)


def card(title: str, lines: Iterable[str], foot: str) -> str:
    """Return a card of `card_line`s, with what is said below them."""
    return (
        f'<article class="card"><h3>{escape(title)}</h3><dl>{"".join(lines)}</dl>'
        f"<footer>{escape(foot)}</footer></article>"
    )


def card_line(
    name: str, figure: str, facts: Iterable[str], tag: str = "", *, failed: bool = False
) -> str:
    """Return a line of a card; `name` and `tag` are HTML, the figure and the facts are not."""
    # short facts stay in one line
    lines = ((escape(fact), len(fact) <= _SHORT) for fact in facts)
    detail = " · ".join(fact.replace(" ", "&nbsp;") if short else fact for fact, short in lines)
    kind = "figure failed" if failed else "figure"
    return (
        f'<div><dt>{name}</dt><dd class="{kind}">{escape(figure)}</dd>'
        f'<dd class="detail">{detail}{tag}</dd></div>'
    )


def engine_name(name: str, look: Look) -> str:
    """Return the name of an engine with its mark."""
    return f"{_mark(look.colour, look.symbol)}{escape(name)}"


def tag(text: str, kind: str) -> str:
    """Return a remark; "good" and "doubt" are its kinds."""
    return f' <span class="tag {kind}">{escape(text)}</span>'


def legend(looks: Mapping[str, Look]) -> str:
    """Return which engine looks how, in all plots of the page."""
    items = (f"<li>{engine_name(name, look)}</li>" for name, look in looks.items())
    return f'<ul class="legend" aria-label="Engines">{"".join(items)}</ul>'


def stage_key(stages: Iterable[str]) -> str:
    """Return which stage has which colour."""
    items = (f"<li>{_mark(STAGE_COLOURS[stage], 'square')}{stage}</li>" for stage in stages)
    return f'<ul class="key">{"".join(items)}</ul>'


def told(lines: Iterable[str]) -> str:
    """Return lines of text as a list."""
    return f'<ul class="told">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>'


def _mark(colour: str, symbol: str) -> str:
    return f'<i class="{symbol}" style="background:{colour}"></i>'


def plot_section(
    anchor: str, title: str, note: str, panels: Sequence[Panel], above: str = ""
) -> str:
    """Return a section of plots, side by side where there is room; `above` them is HTML."""
    inner = "".join(
        f'<figure class="panel"><figcaption>{escape(panel.title)}</figcaption>'
        f"{panel.figure.to_html(full_html=False, include_plotlyjs=False, config=_CONFIG)}</figure>"
        for panel in panels
    )
    return section(title, f'{above}<div class="panels">{inner}</div>', note, anchor)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "scroll") -> str:
    """Return a table in a box that scrolls by itself; lines that failed stand out."""
    columns = zip(*rows, strict=True)
    kinds = [' class="number"' if all(map(_NUMBER.fullmatch, c)) else "" for c in columns]

    def line(cells: Sequence[str], name: str) -> str:
        failed = ' class="failed"' if any(c.startswith("FAILED") for c in cells) else ""
        found = zip(cells, kinds, strict=True)
        inner = "".join(f"<{name}{kind}>{escape(c)}</{name}>" for c, kind in found)
        return f"<tr{failed}>{inner}</tr>"

    inner = line(head, "th") + "".join(line(cells, "td") for cells in rows)
    return f'<div class="{kind}" tabindex="0"><table>{inner}</table></div>'
