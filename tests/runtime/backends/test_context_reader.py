"""What is kept of a turn is found after the same turns only, and no more is kept than allowed."""

from __future__ import annotations

import numpy as np

from empgan_rt.backends.context_reader import ContextReader
from empgan_rt.backends.turn_reader import Key


def turns(words: str) -> list[Key]:
    """Return a turn for each letter."""
    return [(letter.encode(), b"") for letter in words]


def read(reader: ContextReader, *dialogues: str) -> list[str]:
    """Return the turns of each dialogue that were new, after these are read."""
    keys = [turns(words) for words in dialogues]
    known, earlier = reader.known(keys)
    rows = np.zeros((len(keys), max(map(len, keys)), 2), np.float32)
    for b, words in enumerate(dialogues):
        for m in range(known[b], len(words)):
            rows[b, m - known[b]] = [len(words[: m + 1]), sum(map(ord, words[: m + 1]))]
        wanted = [[m, sum(map(ord, words[:m]))] for m in range(known[b] + 1)]
        assert earlier[b, : known[b] + 1].tolist() == wanted
        assert not earlier[b, known[b] + 1 :].any()
    reader.remember(keys, known, rows)
    return [words[count:] for words, count in zip(dialogues, known, strict=True)]


def test_the_first_turns_that_were_read_are_known() -> None:
    reader = ContextReader(2, 100)
    assert read(reader, "abc") == ["abc"]
    assert read(reader, "abcde", "ab", "x") == ["de", "b", "x"]
    assert read(reader, "abcdef", "abxd", "bc") == ["f", "xd", "bc"]
    assert read(reader, "abcxd", "bcx") == ["xd", "x"]


def test_the_same_dialogue_twice_in_a_batch_is_kept_once() -> None:
    reader = ContextReader(2, 100)
    assert read(reader, "abc", "abd", "abc") == ["abc", "abd", "abc"]
    assert len(reader._known) == 4


def test_without_room_nothing_is_kept() -> None:
    reader = ContextReader(2, 0)
    for _ in range(2):
        assert read(reader, "abc") == ["abc"]
    assert not reader._known


def test_no_more_is_kept_than_allowed_and_the_first_turns_longest() -> None:
    reader = ContextReader(2, 4)
    read(reader, "abcdef")
    assert len(reader._known) == 4
    assert read(reader, "abcdefg") == ["efg"]
    read(reader, "xyz")
    assert len(reader._known) == 4
    assert read(reader, "abc") == ["bc"]


def test_what_one_dialogue_drives_out_another_of_the_batch_does_not_miss() -> None:
    reader = ContextReader(2, 3)
    read(reader, "abc")
    assert read(reader, "uvwx", "abcd") == ["uvwx", "d"]
    assert read(reader, "abcd")[0].endswith("d")
    assert len(reader._known) == 3


def test_what_is_kept_does_not_keep_the_batch() -> None:
    reader = ContextReader(2, 9)
    read(reader, "abc", "xy")
    assert all(row.base is None for _, row in reader._known.values())
    reader.clear()
    assert read(reader, "abc") == ["abc"]
