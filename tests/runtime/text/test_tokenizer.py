"""Words of a text: golden pairs, what never happens, and the stored form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empgan_rt.errors import BundleError
from empgan_rt.graph_spec import EOS, PAD, SOS, SPECIALS, UNK
from empgan_rt.text.tokenizer import Tokenizer
from support.small_data import own_dialogues

RULES = Tokenizer.from_words([])

GOLDEN = [
    # apostrophes as the corpus writes them
    ("I ’ m fine.", ["I", "'m", "fine", "."]),
    ("I don ’ t know .", ["I", "don't", "know", "."]),
    ("couldn ' t you ?", ["couldn't", "you", "?"]),
    ("don 't", ["don't"]),
    ("don' t", ["don't"]),
    ("It ’ s 8 o ’ clock .", ["It", "'s", "8", "o'clock", "."]),
    ("Tom ' s mother ' s", ["Tom", "'s", "mother", "'s"]),
    ("They ' re here", ["They", "'re", "here"]),
    ("I`m, I´m", ["I", "'m", ",", "I", "'m"]),
    # clitics come off, negations and other words with an apostrophe stay whole
    ("we'll they've she'd", ["we", "'ll", "they", "'ve", "she", "'d"]),
    ("SHE'S", ["SHE", "'S"]),
    ("can't ain’t y'all", ["can't", "ain't", "y'all"]),
    ("mother-in-law", ["mother-in-law"]),
    # glued sentences
    ("right.But wait", ["right", ".", "But", "wait"]),
    ("good!Then what?No", ["good", "!", "Then", "what", "?", "No"]),
    ("hello,world", ["hello", ",", "world"]),
    ("wait...what", ["wait", "...", "what"]),
    ("wait … what", ["wait", "...", "what"]),
    # abbreviations
    ("Mr . Brown met Mrs. Lee", ["Mr.", "Brown", "met", "Mrs.", "Lee"]),
    ("Dr . Who on St . John St.", ["Dr.", "Who", "on", "St.", "John", "St."]),
    ("at 9 p . m . today", ["at", "9", "p.m.", "today"]),
    ("7 a.m .", ["7", "a.m."]),
    # numbers
    ("1,000.50 dollars", ["1,000.50", "dollars"]),
    ("10:30 on the 3rd", ["10:30", "on", "the", "3rd"]),
    ("$5.99, 50%", ["$", "5.99", ",", "50", "%"]),
    ("It costs 5.", ["It", "costs", "5", "."]),
    # characters from elsewhere
    ("Hi。Bye", ["Hi", ".", "Bye"]),
    ("really？yes！no，thanks、bye", ["really", "?", "yes", "!", "no", ",", "thanks", ",", "bye"]),
    ("“Quoted” «too»", ['"', "Quoted", '"', '"', "too", '"']),
    ("well—yes", ["well", "-", "yes"]),
    ("non‐breaking", ["non-breaking"]),
    ("naïve cafe\u0301", ["naïve", "café"]),
    ("😀 ok", ["😀", "ok"]),
    ("你好", ["你好"]),
    # control, format and bidirectional characters
    ("a\x00b", ["a", "b"]),
    ("a\u00a0b\u2028c\td\r\ne", ["a", "b", "c", "d", "e"]),
    ("a\u200bb\u00adc", ["abc"]),
    ("\u202eevil\u202c \u2066text\u2069", ["evil", "text"]),
    # nothing
    ("", []),
    (" \t\n\u3000", []),
    ("\x00\x07\u200b\u202e", []),
]


@pytest.mark.parametrize(("text", "words"), GOLDEN)
def test_golden_words(text: str, words: list[str]) -> None:
    assert RULES.words(text) == words


@pytest.mark.parametrize("text", [text for text, _ in GOLDEN])
def test_reading_normalised_text_changes_nothing(text: str) -> None:
    once = RULES.normalise(text)
    assert RULES.normalise(once) == once
    assert RULES.words(once) == RULES.words(text)


@given(st.text(st.characters(codec="utf-8")))
def test_words_are_never_empty_and_hold_no_space_or_control(text: str) -> None:
    for word in RULES.words(text):
        assert word
        assert not any(c.isspace() or c in "\x00\x1b\u200b\u202e" for c in word)


@given(st.text(st.characters(codec="utf-8")) | st.sampled_from(SPECIALS))
def test_text_never_makes_a_special_but_unknown(text: str) -> None:
    tokenizer = Tokenizer.from_words(["the", "pad", "<", ">"])
    ids = tokenizer.ids(tokenizer.words(text))
    assert not {PAD, SOS, EOS}.intersection(ids)


def test_the_names_of_specials_are_unknown_words() -> None:
    assert RULES.ids(SPECIALS) == [UNK] * 4


def test_ids_follow_the_specials_and_unknown_words_share_one() -> None:
    tokenizer = Tokenizer.from_words(["I", "'m", "fine"])
    assert tokenizer.vocabulary == (*SPECIALS, "I", "'m", "fine")
    assert tokenizer.ids(["fine", "i", "I", "'m"]) == [6, UNK, 4, 5]


def test_words_of_leaves_out_padding_start_and_end() -> None:
    tokenizer = Tokenizer.from_words(["a", "b"])
    assert tokenizer.words_of([SOS, 5, UNK, 4, EOS, PAD]) == ["b", "<unk>", "a"]


def test_lowercase_is_stored_with_the_rules() -> None:
    tokenizer = Tokenizer.from_words(["hello"], lowercase=True)
    assert Tokenizer.from_json(tokenizer.to_json()).words("HELLO There") == ["hello", "there"]


def test_json_round_trip_keeps_words_ids_and_bytes() -> None:
    turns = [turn for dialogue in own_dialogues()[:100] for turn in dialogue["dialogue"]]
    turns += [text for text, _ in GOLDEN]
    known = sorted({word for turn in turns[::2] for word in RULES.words(turn)})
    tokenizer = Tokenizer.from_words(known)
    again = Tokenizer.from_json(tokenizer.to_json())
    assert again.vocabulary == tokenizer.vocabulary
    assert again.to_json() == tokenizer.to_json()
    for turn in turns:
        assert again.normalise(turn) == tokenizer.normalise(turn)
        words = tokenizer.words(turn)
        assert again.words(turn) == words
        assert again.ids(words) == tokenizer.ids(words)


def _with_vocabulary(vocabulary: dict[str, int]) -> bytes:
    tree = json.loads(RULES.to_json())
    tree["model"]["vocab"] = vocabulary
    return json.dumps(tree).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        RULES.to_json()[:-20],
        _with_vocabulary({"a": 0, "<unk>": 1}),
        _with_vocabulary({"<pad>": 0, "<unk>": 1, "<eos>": 2, "<sos>": 3}),
    ],
    ids=["empty", "object", "not utf-8", "truncated", "no specials", "specials swapped"],
)
def test_damaged_json_is_a_bundle_error(data: bytes) -> None:
    with pytest.raises(BundleError):
        Tokenizer.from_json(data)


def test_stored_truncation_and_padding_are_not_obeyed() -> None:
    tree = json.loads(Tokenizer.from_words(["a"]).to_json())
    tree["truncation"] = {
        "direction": "Right",
        "max_length": 1,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    again = Tokenizer.from_json(json.dumps(tree).encode())
    assert json.loads(again.to_json())["truncation"] is None
