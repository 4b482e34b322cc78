"""Readable text: golden pairs, the way back from words, and the prefix property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empgan_rt.text.detokenizer import detokenise
from empgan_rt.text.tokenizer import Tokenizer
from support.small_data import own_dialogues

RULES = Tokenizer.from_words([])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("that 's great , is n't it ? yes .", "That's great, isn't it? Yes."),
        ("i 'm sure i 'd go", "I'm sure I'd go"),
        ("couldn't you ?", "Couldn't you?"),
        ("oh ! you 're here ... good", "Oh! You're here... Good"),
        ("it costs $ 5.99 ( or 50 % ) .", "It costs $5.99 (or 50%)."),
        ('he said " hello " and left', 'He said "hello" and left'),
        ("' yes ' , she said", "'Yes', she said"),
        ('no . " really ? " yes', 'No. "Really?" Yes'),
        ("Mr. Brown came at 9 p.m. today", "Mr. Brown came at 9 p.m. today"),
        ("it 's 8 o'clock .", "It's 8 o'clock."),
        ("what ? !", "What?!"),
        ("wait : no ; yes", "Wait: no; yes"),
        ("well - known", "Well - known"),
        ("3 apples . 4 pears", "3 apples. 4 pears"),
        ("<unk> is here", "<unk> is here"),
        ("émile is here", "Émile is here"),
    ],
)
def test_golden_text(words: str, text: str) -> None:
    assert detokenise(words.split()) == text


def test_no_words_no_text() -> None:
    assert detokenise([]) == ""


READABLE = [
    "I'm fine, thank you. How are you?",
    "That's great, isn't it? Yes!",
    "Mr. Brown can't come before 9 p.m. today.",
    'She said "I know" and left.',
    "It costs $5.99 (or 1,000 for all), that's 50%.",
    "Oh... I don't know what you'd say. We'll see!",
    "My mother-in-law's birthday is on the 3rd, at 10:30.",
    "What?! You've never been there?",
]


@pytest.mark.parametrize("text", READABLE)
def test_readable_sentences_come_back(text: str) -> None:
    assert detokenise(RULES.words(text)) == text


def test_nearly_every_turn_of_our_own_dialogues_comes_back() -> None:
    turns = [turn for dialogue in own_dialogues() for turn in dialogue["dialogue"]]
    changed = [turn for turn in turns if detokenise(RULES.words(turn)) != turn]
    # a plural's apostrophe ("April Fools' Day") cannot be told from an opening quote
    assert all("s' " in turn for turn in changed)
    assert len(changed) <= 0.005 * len(turns)


WORDS = st.sampled_from(
    [*"\"'.,!?;:()[]{}$%-", "...", "'s", "n't", "'ll", "i", "I", "you", "émile", "9", "<unk>", "o'"]
) | st.text(st.characters(codec="utf-8"), min_size=1, max_size=3)


@given(st.lists(WORDS, max_size=12))
def test_the_text_of_a_prefix_is_a_prefix_of_the_text(words: list[str]) -> None:
    whole = detokenise(words)
    for end in range(len(words)):
        assert whole.startswith(detokenise(words[:end]))


@given(st.lists(WORDS, max_size=12))
def test_only_spaces_and_capitals_are_changed(words: list[str]) -> None:
    bare = detokenise(words).replace(" ", "").upper()
    assert bare == "".join(words).replace(" ", "").upper()
