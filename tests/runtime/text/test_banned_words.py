"""A ban covers every way in which the vocabulary writes it, and no other words."""

from __future__ import annotations

import logging
from itertools import accumulate

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from empgan_rt.errors import InputError
from empgan_rt.graph_spec import UNK
from empgan_rt.text.banned_words import BannedWords
from empgan_rt.text.bans import Bans, Phrase
from empgan_rt.text.detokenizer import detokenise
from empgan_rt.text.tokenizer import Tokenizer
from support.reference_search import holds

# With much that can be written in several ways.
WORDS = ["don't", "Don't", "do", "Do", "n't", "don", "'", "t", "T", "it", "IT", "'s", "'S", "s"]
WORDS += [".", "..", "...", "Mr.", "Mr", "mr", "a.m.", "a", "m", "am", "A", "apart", "part", "1st"]
WORDS += ["1", "st", "shut", "Shut", "up", "Up", '"', "-", "make-up", "make", "o'clock", "o", "5"]
WORDS += ["clock", "(", ")", ",", "?", "i", "I", "'m", "p.m.", "p", "not", "can", "can't", "$"]
TOKENIZER = Tokenizer.from_words(WORDS)
BANNED = BannedWords(TOKENIZER)


def phrases_of(bans: Bans) -> list[Phrase]:
    pairs = [(frozenset((i,)), frozenset(ends.ids)) for i, ends in bans.ends.items() if ends.ids]
    longer = {phrase for ends in bans.ends.values() for phrase in ends.longer}
    return [*((frozenset((i,)),) for i in bans.ids), *pairs, *longer]


def is_banned(tokens: list[str], *entries: str) -> bool:
    ids = TOKENIZER.ids(tokens)
    return any(holds(ids, phrase) for phrase in phrases_of(BANNED.bans(entries)))


@pytest.mark.parametrize(
    "entry", ["don't", "don’t", "Don't", "DON'T", "don ' t", " don`t  ", "\u200bdon't", "do n't"]
)
def test_a_contraction_is_banned_in_every_spelling(entry: str) -> None:
    for tokens in (["don't"], ["Don't"], ["do", "n't"], ["Do", "n't"], ["don", "'", "t"]):
        assert is_banned(tokens, entry)
    for tokens in (["do"], ["do", "not"], ["don"], ["t"], ["it", "'s"], ["n't"]):
        assert not is_banned(tokens, entry)


@pytest.mark.parametrize("entry", ["shut up", "Shut Up", " SHUT   UP ", "shut\u00a0up", "shut\tup"])
def test_a_phrase_is_banned_as_a_whole(entry: str) -> None:
    for tokens in (["shut", "up"], ["it", "Shut", "Up", "."], ["shut", "shut", "up"]):
        assert is_banned(tokens, entry)
    for tokens in (["shut"], ["up"], ["up", "shut"], ["shut", "it", "up"], ["shut", ",", "up"]):
        assert not is_banned(tokens, entry)


def test_letters_join_nowhere_but_where_they_are_shown_joined() -> None:
    assert is_banned(["a", "part"], "a part")
    assert not is_banned(["apart"], "a part")
    assert not is_banned(["a", "part"], "apart")
    assert is_banned(["a", "m"], "a m")
    assert not is_banned(["am"], "a m")
    assert not is_banned(["1st"], "1 st")
    assert is_banned(["1st"], "1ST")


def test_a_word_with_its_full_stop_goes_with_the_word() -> None:
    assert is_banned(["Mr."], "mr")
    assert is_banned(["Mr", "."], "Mr.")
    assert is_banned(["a", ".", "m", "."], "A.M.")
    assert not is_banned(["Mr"], "Mr.")
    assert not is_banned(["make-up"], "make")


def test_the_unknown_word_is_struck_by_its_name_alone() -> None:
    assert BANNED.bans(("<unk>",)).ids == (UNK,)
    for entry in ("<pad>", "<sos>", "<eos>"):
        assert BANNED.bans((entry,)) == Bans()


def test_unknown_words_ban_nothing_and_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert BANNED.bans(("zorp", "shut zorp", "shut")) == BANNED.bans(("shut",))
    (message,) = caplog.messages
    assert message.startswith("2 of 3 banned words can never come")
    assert BANNED.bans(()) == Bans()


@pytest.mark.parametrize("entry", ["\u200b", "\u00ad \u200e", "\x00"])
def test_an_entry_without_a_word_is_refused(entry: str) -> None:
    with pytest.raises(InputError, match=r"banned_words\[1\] has no word"):
        BANNED.bans(("it", entry))


@pytest.mark.parametrize("entry", ["." * 200, "..a" * 66, "don't " * 33])
def test_the_work_that_an_entry_makes_is_bounded(entry: str) -> None:
    with pytest.raises(InputError, match="more than 500 spellings"):
        BANNED.bans((entry,))


@settings(max_examples=300, deadline=None)
@given(
    tokens=st.lists(st.sampled_from(WORDS), min_size=1, max_size=6),
    start=st.integers(0, 5),
    size=st.integers(1, 4),
)
def test_what_can_be_read_in_a_text_is_banned_by_what_was_read(
    tokens: list[str], start: int, size: int
) -> None:
    """Every run of words of every text is found again in its tokens, unless it cuts one of them.

    "P.m.", which is "p.m." at the start of a sentence, is read as four words, for example.
    """
    words = TOKENIZER.words(detokenise(tokens))
    start %= len(words)
    run = words[start : start + size]
    entry = " ".join(run)
    edges = {*accumulate(map(len, tokens), initial=0)}
    assume({len("".join(words[:start])), len("".join(words[: start + len(run)]))} <= edges)
    assume(list(map(str.casefold, TOKENIZER.words(entry))) == list(map(str.casefold, run)))
    assume(sum(map(entry.count, ".'")) < 8)  # or there are too many spellings
    assert is_banned(tokens, entry)
