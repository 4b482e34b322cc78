"""Stops: what is cut, and that pieces of a text are cut as the whole is."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empgan_rt.server.openai.stop_texts import StopTexts, cut

TEXTS = st.text(alphabet="ab ", max_size=12)
STOPS = st.lists(st.text(alphabet="ab ", min_size=1, max_size=4), max_size=4)


@pytest.mark.parametrize(
    ("text", "stops", "kept"),
    [
        ("Yes. No.", [], "Yes. No."),
        ("Yes. No.", ["No"], "Yes. "),
        ("Yes. No.", ["Yes. No.", "."], "Yes"),
        ("Yes. No.", ["es", "Yes"], ""),
        ("Yes. No.", ["no"], "Yes. No."),
        ("", ["a"], ""),
    ],
)
def test_a_text_is_cut_before_the_stop_that_is_complete_first(
    text: str, stops: list[str], kept: str
) -> None:
    assert cut(text, stops) == kept


@given(TEXTS, STOPS, st.lists(st.integers(0, 12)))
def test_pieces_are_cut_as_the_whole(text: str, stops: list[str], places: list[int]) -> None:
    ends = sorted({0, len(text), *(place for place in places if place < len(text))})
    stop_texts, said = StopTexts(stops), ""
    for start, end in itertools.pairwise(ends):
        said += stop_texts.piece(text[start:end])
        assert cut(text, stops).startswith(said)
    assert said + stop_texts.rest() == cut(text, stops)


def test_no_more_is_held_back_than_may_be_a_stop() -> None:
    stop_texts = StopTexts(["sorry"])
    assert [stop_texts.piece(piece) for piece in ("I'm ", "so", " so", "rry.")] == [
        "I'm ",
        "",
        "so ",
        "",
    ]
