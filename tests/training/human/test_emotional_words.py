"""What raters are shown as emotional: the lexicon's words and their forms, no mere adjectives."""

from __future__ import annotations

import pytest

from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_training.human.emotional_words import emotional_words

LEXICON = EmotionLexicon(
    {
        **dict.fromkeys(("want", "die", "help", "happy", "care", "stop", "cry"), "vader"),
        **dict.fromkeys(("last", "first", "public", "old"), "adjective"),
    },
    [],
)


@pytest.mark.parametrize(
    "word",
    ["want", "wanted", "dies", "died", "helped", "helping", "Happy", "caring", "stopped", "cries"],
)
def test_words_of_the_lexicon_and_their_forms_are_shown(word: str) -> None:
    assert emotional_words([word], LEXICON) == [word]


@pytest.mark.parametrize("word", ["last", "first", "public", "old", "wing", "s", "ed", "as", ""])
def test_adjectives_of_the_corpus_and_other_words_are_not(word: str) -> None:
    assert emotional_words([word], LEXICON) == []


def test_each_is_shown_once_in_its_order() -> None:
    words = ["help", "the", "happy", "help", "last"]
    assert emotional_words(words, LEXICON) == ["help", "happy"]
