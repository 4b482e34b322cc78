from __future__ import annotations

import pytest

from empgan_training.metrics.intervals import Interval
from empgan_training.tables.figures import Figure, over_seeds
from empgan_training.tables.grid import escape, figure_cell, grid, interval_cell


def test_figures_skip_what_is_not_known() -> None:
    figures = over_seeds([{"a": 1.0, "b": None}, {"a": 3.0}, {"a": None, "c": 5.0}])
    assert figures["a"].mean == 2.0
    assert figures["a"].sd == pytest.approx(2**0.5)  # by n - 1
    assert figures["a"].n == 2
    assert figures.keys() == {"a", "c"}
    assert figures["c"] == Figure(5.0, None, 1)


@pytest.mark.parametrize(
    ("figure", "paper", "cell"),
    [
        (None, None, "-"),
        (None, 10.82, "- (10.82)"),
        (Figure(12.345, None, 1), None, "12.35"),
        (Figure(1234.5, 0.126, 3), 7.0, "1,234.50 ± 0.13 (7.00)"),
    ],
)
def test_figure_cells(figure: Figure | None, paper: float | None, cell: str) -> None:
    assert figure_cell(figure, paper) == cell


@pytest.mark.parametrize(
    ("interval", "cell"),
    [
        (Interval(0.4, 0.1, 0.7, "bootstrap"), "**+0.40 [+0.10, +0.70]**"),
        (Interval(-0.4, -0.7, -0.1, "bootstrap"), "**-0.40 [-0.70, -0.10]**"),
        (Interval(0.4, -0.1, 0.9, "jackknife"), "+0.40 [-0.10, +0.90]"),
        (Interval(-0.001, -0.004, 0.0, "jackknife"), "+0.00 [+0.00, +0.00]"),
    ],
)
def test_interval_cells(interval: Interval, cell: str) -> None:
    assert interval_cell(interval) == cell


def test_markup_in_replies_shows_as_it_is() -> None:
    assert escape("<UNK> *a* | $5 `b` [c]") == r"\<UNK\> \*a\* \| \$5 \`b\` \[c\]"


def test_grid() -> None:
    assert grid(("a", "b"), [("1", "2")]) == "| a | b |\n| :--- | ---: |\n| 1 | 2 |"
