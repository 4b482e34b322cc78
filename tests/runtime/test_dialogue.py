"""Turns and dialogues as callers give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest

import empgan_rt
from empgan_rt import Emotion, InputError, Turn
from empgan_rt.dialogue.turns import Dialogue, EmotionName


def test_strings_and_turns_become_a_dialogue_in_their_order() -> None:
    made = Dialogue.of(["hello", Turn("hi", Emotion.HAPPINESS)])
    assert made.turns == (Turn("hello"), Turn("hi", Emotion.HAPPINESS))
    assert Dialogue.of(text for text in ("hello", "hi")).turns == (Turn("hello"), Turn("hi"))


@pytest.mark.parametrize(
    "given",
    [{"turns": ["hello"]}, {"hello": 1}.keys(), {"hello", "hi"}, frozenset(("hello",)), b"hi", 3],
)
def test_what_has_no_order_or_is_no_list_is_refused_by_its_type(given: Any) -> None:
    with pytest.raises(InputError, match=type(given).__name__) as caught:
        Dialogue.of(given)
    assert "list of turns" in caught.value.hint


@pytest.mark.parametrize("name", ["sadness", "SADNESS", " Sadness "])
def test_an_emotion_may_be_given_by_its_name(name: Any) -> None:
    assert Turn("I lost it.", name).emotion is Emotion.SADNESS
    assert Turn("I lost it.", name) == Turn("I lost it.", Emotion.SADNESS)


@pytest.mark.parametrize(
    "make",
    [lambda: Turn("hi", "joy"), lambda: Turn("hi", 5), lambda: Turn("hi", "")],  # type: ignore[arg-type]
)
def test_an_emotion_that_is_none_is_refused(make: Callable[[], Turn]) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert caught.value.hint


def test_dir_names_what_is_not_loaded_yet() -> None:
    assert {*empgan_rt.__all__} <= {*dir(empgan_rt)}
    assert all(hasattr(empgan_rt, name) for name in dir(empgan_rt))


def test_dailydialog_counts_from_nought_and_our_ids_from_one() -> None:
    found = [Emotion.from_dailydialog(label) for label in range(7)]
    assert found == [*Emotion]
    assert Emotion.from_dailydialog(4) is Emotion.HAPPINESS
    assert [emotion.dailydialog for emotion in Emotion] == [*range(7)]


@pytest.mark.parametrize("label", [-1, 7, True, 1.0, "1", None, pytest.param(10**5000, id="huge")])
def test_what_is_no_label_of_dailydialog_is_an_input_error(label: Any) -> None:
    with pytest.raises(InputError, match="no label of DailyDialog"):
        Emotion.from_dailydialog(label)


def test_emotions_have_one_list_of_names() -> None:
    assert get_args(EmotionName) == tuple(emotion.name.lower() for emotion in Emotion)
