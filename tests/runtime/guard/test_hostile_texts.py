"""Texts made to cost time: the work grows as their length does, and nothing is raised."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empgan_rt import Turn, Verdict, WordGuard
from empgan_rt.guard.phrase_reader import read_phrase
from empgan_rt.guard.phrases import Phrases

GUARD = WordGuard()
MOST = 20_000  # characters that a turn may have
PIECES = [
    *("i ", "a b ", "i really ", "i want to ", "not ", "kill myself ", "die of boredom ", "1"),
    *("k i l l ", "kiiiiiill ", "k!l!", "'", "don't ", "...", ". ", "\u200b", "e\u0301", "@$!|*"),
    *("how to kill the ", "the way to ", "\n", "\u3000", "if he would kill me if ", "a'"),
    *("my husband ", "x" * 50 + " "),
]


def lines_run(text: str) -> int:
    """Return how many lines of the guard's modules one check runs."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if "/guard/" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        GUARD.check_input([Turn(text)])
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("piece", PIECES, ids=repr)
def test_twice_the_text_is_at_most_twice_the_work(piece: str) -> None:
    short = piece * (1000 // len(piece))
    assert lines_run(short * 2) <= 2.2 * lines_run(short) + 200


@pytest.mark.parametrize("piece", PIECES, ids=repr)
def test_the_longest_turn_is_read(piece: str) -> None:
    assert isinstance(GUARD.check_input([Turn((piece * MOST)[:MOST])]), Verdict)


def test_phrases_that_are_read_in_many_ways_cost_no_more() -> None:
    """Thirty choices of "a" and "a a" stand in a text in 2 ** 30 ways."""
    words = "a " * 2000
    phrases = Phrases([read_phrase("(a|a a) " * 30 + "b", {}, str.split)])
    sentence = [(word,) for word in words.split()]
    assert phrases.find(sentence) == []
    assert len(phrases.find([*sentence, ("b",)])) == 1


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_verdict(text: str) -> None:
    assert isinstance(GUARD.check_input([Turn(text)]), Verdict)
    assert isinstance(GUARD.check_reply([Turn(text)], [text, "Yes."]), Verdict)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*PIECES, "die ", "want ", "to ", "you ", "idiot ", "! "])))
def test_keys_save_time_and_change_nothing(pieces: list[str]) -> None:
    text = "".join(pieces)
    parts = GUARD._normaliser.parts(text)
    for sentence in GUARD._normaliser.sentences(parts, GUARD._phrases.vocabulary):
        found = {
            rule.category
            for rule in (GUARD._rules[each.phrase] for each in GUARD._phrases.find(sentence))
            if not rule.takes_back and "messages" in GUARD._reads(rule.category)
        }
        if found:
            looked_for = GUARD._looked_for["messages", None]
            assert looked_for.keys.are_in(sentence)
            assert not parts.is_simple or not looked_for.forms.isdisjoint(
                part.replace("'", "") for part in parts.parts
            )
