"""How plots look: engines apart, axes with round ticks."""

from __future__ import annotations

import pytest

from empgan_bench.reports import theme


def test_the_reference_is_grey_and_no_two_engines_look_alike() -> None:
    found = theme.looks(["eager", *(f"engine {number}" for number in range(17))], {"eager"})
    assert found["eager"].colour == theme.GREY
    assert len(set(found.values())) == 18


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ((0.55, 180.0), ["1×", "10×", "100×"]),
        ((1.0, 22.7), ["1×", "3×", "10×"]),
        ((1.0, 8.1), ["1×", "2×", "5×"]),
        ((23.1, 40.0), ["25×", "30×", "35×", "40×"]),
    ],
)
def test_ticks_of_a_logarithmic_axis_are_round_and_few(
    values: tuple[float, float], ticks: list[str]
) -> None:
    assert theme.log_axis(values, suffix="×")["ticktext"] == ticks


def test_a_single_value_has_room_and_a_tick() -> None:
    axis = theme.log_axis([7.0])
    assert axis["range"][0] < axis["range"][1]
    assert axis["ticktext"]


def test_given_ticks_are_kept() -> None:
    assert theme.log_axis([1, 8, 32], ticks=[1, 8, 32])["tickvals"] == [1, 8, 32]
