"""Scales and marks of the charts."""

from __future__ import annotations

import pytest

from empgan_bench import svg
from empgan_bench.svg import Scale


@pytest.mark.parametrize(
    ("low", "high", "logarithmic", "ticks"),
    [
        (0.0, 100.0, False, [0, 20, 40, 60, 80, 100]),
        (0.0, 0.37, False, [0, 0.1, 0.2, 0.3]),
        (-20.5, 31.5, False, [-20, 0, 20]),
        (0.5, 200.0, True, [1, 10, 100]),
        (0.9, 25.0, True, [1, 3, 10]),
        (0.9, 9.0, True, [1, 2, 5]),
        (21.0, 44.0, True, [25, 30, 35, 40]),
    ],
)
def test_ticks_are_round_and_few(
    low: float, high: float, logarithmic: bool, ticks: list[float]
) -> None:
    assert Scale(low, high, logarithmic).ticks() == pytest.approx(ticks)


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_scale_holds_its_values(logarithmic: bool) -> None:
    scale = Scale.of([3.0, 1.0, 2.0], logarithmic=logarithmic)
    places = [scale.place(value) for value in (1.0, 2.0, 3.0)]
    assert places == sorted(places)
    assert places[0] >= 0.0
    assert places[-1] <= 100.0


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_single_value_has_a_place_and_a_tick(logarithmic: bool) -> None:
    scale = Scale.of([7.0], logarithmic=logarithmic)
    assert 0.0 <= scale.place(7.0) <= 100.0
    assert scale.ticks()


def test_a_logarithmic_scale_gives_equal_ratios_equal_room() -> None:
    scale = Scale(1.0, 100.0, logarithmic=True)
    assert scale.place(10.0) == pytest.approx(50.0)


def test_text_is_escaped_everywhere() -> None:
    wicked = "<b>&\"'"
    drawn = (
        svg.text("0", "0", wicked)
        + svg.bar(0, 1, 0, 1, "k", wicked)
        + svg.panel(wicked, "", 10, "rows")
        + svg.across(Scale(0, 1, False), [(0.5, wicked)], 10)
        + svg.upwards(Scale(0, 1, False), [(0.5, wicked)])
    )
    assert "<b>" not in drawn
    assert '&"' not in drawn


def test_places_are_percentages_so_that_a_chart_fits_any_width() -> None:
    assert 'x="25.00%" width="50.00%"' in svg.bar(25, 50, 0, 1, "k", "")
    assert 'd="M0.00 1.00L2.00 3.00"' in svg.line([(0, 1), (2, 3)], "k")
    assert 'd="M0.00 1.00h0M2.00 3.00h0"' in svg.dots([(0, 1), (2, 3)], "k")
