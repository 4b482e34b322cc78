"""One cell of a table: the mean over the training seeds and, with more than one, its deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Figure:
    """A value over seeds.

    Attributes:
        mean: over the seeds that have a value.
        sd: standard deviation over them, by n - 1; None with one seed.
        n: seeds with a value.
    """

    mean: float
    sd: float | None
    n: int


def over_seeds(rows: Sequence[Mapping[str, float | None]]) -> dict[str, Figure]:
    """Return the figure of each column of one system; a column without any value is left out.

    Args:
        rows: one for each seed, column -> value; a value may be None or not there.
    """
    figures = {}
    for column in dict.fromkeys(name for row in rows for name in row):
        values = [value for row in rows if (value := row.get(column)) is not None]
        if values:
            sd = stdev(values) if len(values) > 1 else None
            figures[column] = Figure(fmean(values), sd, len(values))
    return figures


@dataclass(frozen=True)
class FigureRow:
    """One system's row.

    Attributes:
        system: a name of `systems.SYSTEMS`, or "Human" for the references.
        seeds: that the figures are over; empty for "Human".
        figures: column -> figure; what is not known is left out.
    """

    system: str
    seeds: tuple[int, ...]
    figures: Mapping[str, Figure]
