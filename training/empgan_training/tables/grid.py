"""Pieces of Markdown: tables, cells and text that is not to be read as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..metrics.intervals import Interval
from .comparisons import excludes_zero
from .figures import Figure

ABSENT = "-"
_MARKUP = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_|<>[]#~&$"})

Row = Sequence[str]


def grid(header: Row, rows: Iterable[Row], *, left: int = 1) -> str:
    """Return a table, its first `left` columns to the left and the others to the right."""
    rule = [":---" if column < left else "---:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def escape(text: str) -> str:
    """Return generated text so that it shows as it is.

    >>> escape("<UNK> * |")
    '\\\\<UNK\\\\> \\\\* \\\\|'
    """
    return text.translate(_MARKUP)


def figure_cell(figure: Figure | None, paper: float | None = None, *, digits: int = 2) -> str:
    """Return "12.34 ± 0.56 (11.83)": mean, deviation over seeds, and the paper's figure.

    What is not known is left out, and a cell of nothing is "-".
    """
    if figure is None:
        ours = ABSENT
    else:
        ours = f"{figure.mean:,.{digits}f}"
        if figure.sd is not None:
            ours += f" ± {figure.sd:,.{digits}f}"
    return ours if paper is None else f"{ours} ({paper:.{digits}f})"


def interval_cell(interval: Interval) -> str:
    """Return "+0.40 [+0.10, +0.70]", bold if 0 lies outside."""
    text = f"{_signed(interval.value)} [{_signed(interval.low)}, {_signed(interval.high)}]"
    return f"**{text}**" if excludes_zero(interval) else text


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # + 0.0 makes +0.00 of -0.00
