"""The frozen list of emotion words: extraction, stored form, damage, licences."""

from __future__ import annotations

import pytest

from empgan_rt.errors import BundleError
from empgan_rt.graph_spec import SPECIALS, UNK
from empgan_rt.text.emotion_lexicon import EmotionLexicon

SOURCES = {"happy": "vader", "sad": "vader", "blue": "adjective", "grim": "vader"}
LEXICON = EmotionLexicon(SOURCES, ["sad", "happy", "blue"])


def test_ids_keep_order_and_repetition_and_ignore_case() -> None:
    words = ["Sad", "but", "HAPPY", ",", "so", "happy", "under", "a", "blue", "sky"]
    assert LEXICON.ids(words) == [4, 5, 5, 6]


def test_a_listed_word_without_an_id_is_unknown_and_others_are_no_emotion_words() -> None:
    assert LEXICON.ids(["grim", "table"]) == [UNK]


def test_vocabulary_begins_with_the_specials() -> None:
    assert LEXICON.vocabulary == (*SPECIALS, "sad", "happy", "blue")


def test_file_round_trip() -> None:
    files = LEXICON.to_files()
    again = EmotionLexicon.from_files(*files)
    assert again.to_files() == files
    assert again.vocabulary == LEXICON.vocabulary
    assert again.sources == LEXICON.sources
    assert again.ids(["grim", "Sad", "x"]) == LEXICON.ids(["grim", "Sad", "x"]) == [UNK, 4]


def test_files_are_readable_lines() -> None:
    tsv, vocabulary = LEXICON.to_files()
    assert tsv == b"blue\tadjective\ngrim\tvader\nhappy\tvader\nsad\tvader\n"
    assert vocabulary == b"<pad>\n<unk>\n<sos>\n<eos>\nsad\nhappy\nblue\n"


TSV, VOCABULARY = LEXICON.to_files()


@pytest.mark.parametrize(
    ("tsv", "vocabulary"),
    [
        (b"happy\n", VOCABULARY),
        (b"happy\tvader\textra\n", VOCABULARY),
        (b"happy\tvader\n\xff\tvader\n", VOCABULARY),
        (TSV, b"\xff"),
        (TSV, b""),
        (TSV, b"<pad>\n<unk>\nsad\n"),
        (TSV, b"sad\n" + VOCABULARY),
        (TSV, VOCABULARY + b"sad\n"),
        (TSV, VOCABULARY + b"absent\n"),
        (TSV[:20], VOCABULARY),
        (b"", VOCABULARY),
    ],
)
def test_damage_is_a_bundle_error(tsv: bytes, vocabulary: bytes) -> None:
    with pytest.raises(BundleError):
        EmotionLexicon.from_files(tsv, vocabulary)


def test_a_word_without_source_or_twice_is_refused() -> None:
    with pytest.raises(BundleError, match="1 of them not in the emotion lexicon, 0 twice"):
        EmotionLexicon(SOURCES, ["sad", "absent"])
    with pytest.raises(BundleError, match="0 of them not in the emotion lexicon, 1 twice"):
        EmotionLexicon(SOURCES, ["sad", "sad"])


@pytest.mark.parametrize("source", ["nrc", "nrclex"])
def test_sources_that_may_not_be_passed_on_are_named(source: str) -> None:
    assert LEXICON.restricted_sources == frozenset()
    assert EmotionLexicon({**SOURCES, "gloomy": source}, []).restricted_sources == {source}
