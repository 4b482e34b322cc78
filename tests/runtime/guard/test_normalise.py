"""Texts as words: disguises are looked through, and words are not torn apart."""

from __future__ import annotations

import pytest

from empgan_rt.guard.normalise import Normaliser

READ = Normaliser({"do not": ["don't", "dont"], "i am": ["i'm"], "want to": ["wanna"]})
VOCABULARY = frozenset({"kill", "my", "self", "myself", "die"})


def first_readings(text: str) -> list[list[str]]:
    """Return the words of each sentence, in their first reading."""
    sentences = READ.sentences(READ.parts(text), VOCABULARY)
    return [[readings[0] for readings in sentence[1:-1]] for sentence in sentences]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I\u2019m  fine", "i am fine"),
        ("I \u2019 m here, don ' t go", "i am here do not go"),
        ("DON`T, dont, don\u00b4t", "do not do not do not"),
        ("wanna", "want to"),
        ("mother's", "mothers"),
        ("na\u00efve caf\u00e9", "naive cafe"),
        ("\uff21\uff42\uff43", "abc"),
        ("wo\u200brd wo\u00adrd w\u2060ord", "word word word"),
        ("Stra\u00dfe", "strasse"),
        ("self-harm self_harm", "self harm self harm"),
        ("k i l l  m y s e l f", "kill myself"),
        ("k.i.l.l. me", "kill me"),
        ("a b", "a b"),
        ("U S A", "u s a"),
        ("I, a U.S. citizen", "i a u s citizen"),
    ],
)
def test_words(text: str, words: str) -> None:
    assert [word for sentence in first_readings(text) for word in sentence] == words.split()


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("k1ll", "kill"),
        ("k!ll", "kill"),
        ("ki11", "kill"),
        ("k*i*l*l", "kill"),
        ("$elf", "self"),
        ("d13", "die"),
        ("diiiie", "die"),
        ("killlll", "kill"),
        ("d1iiie", "die"),
        ("donttt", "do"),
    ],
)
def test_a_disguised_word_is_read_as_itself_too(text: str, reading: str) -> None:
    ((_, readings, *_),) = READ.sentences(READ.parts(text), VOCABULARY)
    assert reading in readings


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("one. two! three? four; five\nsix", 6),
        ("one... two", 1),
        ("at 5.30 p.m. today", 1),
        ("one.two", 1),
        ("wait \u2026 what", 1),
        ("...!?", 0),
        ("", 0),
        ("\u4f60\u597d\u3002\u597d", 2),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(first_readings(text)) == count


def test_simple_texts_are_told() -> None:
    assert READ.parts("I'm fine, don't worry! It is 5 o'clock and 20 degrees... ok?").is_simple
    for text in ("k1ll", "k!ll", "sooo", "k i l l", "$elf"):
        assert not READ.parts(text).is_simple
