"""Readable text: golden pairs, the way back from words, and the prefix property."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empgan_rt.text.detokenizer import detokenise
from empgan_rt.text.tokenizer import Tokenizer
from support.small_data import own_dialogues

RULES = Tokenizer.from_words([])
DATA = Path(os.environ.get("EMPGAN_DATA", "../shared/data"))


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
        ("my parents ' house is old", "My parents' house is old"),
        ("she says ' hello ' twice", "She says 'hello' twice"),
        ("he was in the U . S . last year . good", "He was in the U.S. last year. Good"),
        ("so do I . A friend came .", "So do I. A friend came."),
        ("look at www . example . com , it 's free", "Look at www.example.com, it's free"),
        ("i read it on google . com . you too ?", "I read it on google.com. You too?"),
        ("see http : / / example . org / a", "See http://example.org/a"),
        ("pass / fail , or 1 / 2", "Pass/fail, or 1/2"),
        ("3 - 4 days , a 15 - person house", "3-4 days, a 15-person house"),
        ("i worked - - then slept", "I worked -- then slept"),
        ("the 90 s were fun , and 100 k of us", "The 90s were fun, and 100k of us"),
        ("congrats < 3", "Congrats <3"),
        ("work .... ? hm ..", "Work....? Hm.."),
        ("at 10:30 it costs 1,000.50", "At 10:30 it costs 1,000.50"),
        ("see http : / / a . b . com", "See http://a.b.com"),
        ("x + 5 , + 5 , ~ 5", "X + 5, +5, ~5"),
        ("the 5 € and € 5", "The 5€ and €5"),
        (
            "so do i . a friend is at home . it is . nice",
            "So do I. A friend is at home. It is. Nice",
        ),
        ("mine . Example . com , yours", "Mine. Example.com, yours"),
        ("he got a C . # 1 is mine", "He got a C. #1 is mine"),
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


NAMES = [
    "a.b@c.org",
    "Write to anna.berg@example.org. Thanks, a_b@mail.example.co.uk answered.",
    "I'm Tom861@example.com. You too?",
    "Look at mail.example.co.uk, google.de or https://www.example.org/a/b.html now.",
    "It was @anna who wrote #happy and #1.",
    "Open notes.txt or snake_case.py please. OK?",
    "In 3.11.7, at 192.168.0.1, on 12/05/2026 at 5:30 p.m. we left.",
    "Call 555-1234, (030) 123-4567 or +49 30 1234.",
    "It takes ~5 minutes, 1/2 cup, $3.50, €5 or 5€, 20% off at 20°C.",
    "Take nuts, e.g. almonds, i.e. sweet ones, in the u.s. too.",
    "My Ph.D. is done. She has a B.A. too.",
    "O'Neill plays rock'n'roll 24/7, and/or R&B at AT&T.",
    "C++ is old, C# is not.",
    "That's too bad :( What happened? Great :) I'm glad ;-)",
    "It's tea vs. coffee at 9 a.m. here.",
    "a.m. comes before p.m. every day.",
]


@pytest.mark.parametrize("text", NAMES)
def test_names_come_back(text: str) -> None:
    assert detokenise(RULES.words(text)) == text


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
    [
        *"\"'.,!?;:()[]{}$%-@.@.+#&_~€°",
        *("...", "'s", "n't", "'ll", "i", "I", "you", "émile", "9", "<unk>", "o'", "C", "R", "D"),
        *("www", "http", "com", "co", "uk", "txt", "Ph", "e", "_x", "p.m."),
    ]
) | st.text(st.characters(codec="utf-8"), min_size=1, max_size=3)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=12))
def test_a_beginning_is_the_beginning_of_the_text(words: list[str]) -> None:
    whole = detokenise(words)
    for end in range(len(words)):
        assert whole.startswith(detokenise(words[:end], whole=False))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("Hello", "Hello"),
        ("hello", ""),  # or "hello@example.com"
        ("hello you", "Hello you"),
        ("Yes . you", "Yes."),
        ("Yes . you too", "Yes. You too"),
        ("Mail anna . berg @ example .", "Mail anna."),
        ("Mail anna . berg @ example . com", "Mail anna."),
        ("Mail anna . berg @ example . com ,", "Mail anna.berg@example.com,"),
        ("Then i", "Then"),
        ("Then :", "Then"),
        ("Then : no", "Then: no"),
    ],
)
def test_only_what_later_words_may_change_waits(words: str, text: str) -> None:
    assert detokenise(words.split(), whole=False) == text


@settings(deadline=None)
@given(st.lists(WORDS, max_size=12))
def test_only_spaces_and_capitals_are_changed(words: list[str]) -> None:
    bare = detokenise(words).replace(" ", "").upper()
    assert bare == "".join(words).replace(" ", "").upper()


def test_own_dialogues_read_again_are_the_same_words() -> None:
    assert not [*_read_otherwise(turn for d in own_dialogues() for turn in d["dialogue"])]


@pytest.mark.slow
@pytest.mark.skipif(
    not (DATA / "empatheticdialogues").is_dir(), reason="EMPGAN_DATA lacks a corpus"
)
@pytest.mark.parametrize("corpus", ["dailydialog", "empatheticdialogues"])
def test_real_turns_read_again_are_the_same_words(corpus: str) -> None:
    """Of 38,801 turns one differs, where a backslash stands before a clitic."""
    folder = DATA / corpus
    rows = (
        json.loads(line)
        for split in ("validation", "test")
        for line in (folder / f"{split}.jsonl").read_text("utf-8").split("\n")
        if line
    )
    changed = [*_read_otherwise(turn for row in rows for turn in row["dialogue"])]
    assert all("\\" in turn for turn in changed)


def _read_otherwise(turns: Iterable[str]) -> Iterator[str]:
    for turn in turns:
        words = RULES.words(turn)
        again = RULES.words(detokenise(words))
        if [word.lower() for word in words] != [word.lower() for word in again]:
            yield turn
