"""Emotion words from lexicons and from a corpus's adjectives; no word of NRC's stands here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from empgan_rt.errors import DataError, DependencyError
from empgan_training.data.lexicon_sources import adjectives, lexicon_terms
from empgan_training.data.vocabulary import VocabularyOptions, build_lexicon, build_tokenizer

INVENTED = "glimful\tjoy\t1\nGLIMFUL\tfear\t0\nwurst-gram\tanger\t0\nsnorb\tjoy\t1\nx9\tjoy\t1\n"


def invented_tsv(folder: Path, text: str = INVENTED) -> Path:
    path = folder / "invented.txt"
    path.write_text(text, "utf-8")
    return path


def test_vader_gives_lower_case_words_only() -> None:
    name, terms = lexicon_terms("vader")
    assert name == "vader"
    assert {"happy", "sad", "terrible"} <= terms
    assert ":)" not in terms
    assert "table" not in terms
    assert all(term == term.lower() for term in terms)


def test_a_tsv_in_nrcs_form_counts_the_words_that_are_associated(tmp_path: Path) -> None:
    name, terms = lexicon_terms(str(invented_tsv(tmp_path)))
    assert name == "nrc"
    assert terms == {"glimful", "snorb"}


def test_windows_line_ends_marks_and_blank_lines_are_read(tmp_path: Path) -> None:
    path = invented_tsv(tmp_path, "\ufeff" + INVENTED.replace("\n", "\r\n") + "\r\n\r\n")
    assert lexicon_terms(str(path))[1] == {"glimful", "snorb"}


@pytest.mark.parametrize(
    "text",
    [
        "term\temotion\temotion-intensity-score\nglimful\tjoy\t0.81\nsnorb\tanger\t0.004\n",
        "glimful\tjoy\t0.81\nsnorb\tanger\t1\nwurst-gram\tfear\t0.0\n",
        "English Word\tanger\tjoy\tGerman Word\n"
        "glimful\t0\t1\tglimvoll\nsnorb\t1\t0\tschnorb\nwurst-gram\t0\t0\tWurst\n",
    ],
)
def test_other_layouts_of_nrc_are_recognised(tmp_path: Path, text: str) -> None:
    assert lexicon_terms(str(invented_tsv(tmp_path, text)))[1] == {"glimful", "snorb"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("glimful\tjoy\t1\nsnorb\tjoy\n", ":2: wanted"),
        ("", ":1: wanted"),
        ("a b c\n", ":1: wanted"),
        ("glimful\tjoy\t1\nsnorb\tjoy\tyes\n", ":2: 'yes', wanted 0 or 1"),
        ("glimful\tjoy\t1\nsnorb\tjoy\t7\n", ":2: '7', wanted 0 or 1"),
        ("glimful\tjoy\t1\nsnorb\tjoy\tnan\n", ":2: 'nan', wanted 0 or 1"),
        ("glimful\tjoy\t0\n", "associates no word"),
        ("Word\tanger\tjoy\nglimful\t0\n", ":2: 2 columns, wanted 3"),
        ("Word\tanger\tjoy\nglimful\t0\tx\n", ":2: wanted 0 or 1 for each"),
        ("term\tvalence\tarousal\tdominance\nglimful\t0.9\t0.2\t0.4\n", "valence"),
        ("glimful\t0.9\t0.2\t0.4\nglum\t0.1\t0.2\t0.4\n", "valence"),  # as of 2018, without a head
        ("glimful,joy,1\n", ":1: wanted word<TAB>"),
    ],
)
def test_a_bad_tsv_is_named_by_line(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(DataError, match=place):
        lexicon_terms(str(invented_tsv(tmp_path, text)))


def test_a_tsv_that_is_missing_or_binary_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        lexicon_terms(str(tmp_path / "absent.txt"))
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        lexicon_terms(str(tmp_path / "binary.txt"))


def test_adjectives_by_majority_of_their_places() -> None:
    sentences = [
        ["the", "weather", "is", "terrible", "today", "."],
        ["a", "Beautiful", "girl", "has", "a", "red", "car", "."],
        ["he", "runs", "to", "the", "house", "."],
    ]
    found = adjectives(sentences)
    assert {"terrible", "beautiful", "red"} <= found
    assert not found & {"the", "house", "runs", "car", ".", "a"}


def test_the_lexicon_of_a_corpus_ranks_by_count_and_keeps_every_type(tmp_path: Path) -> None:
    sentences = [
        ["Snorb", "snorb", "glimful"],
        ["snorb", "glimful", "and", "red"],
        ["the", "red", "car", "and", "one", "wurst-gram"],
    ]
    options = VocabularyOptions(
        lexicon=str(invented_tsv(tmp_path, INVENTED.replace("anger\t0", "anger\t1")))
    )
    lexicon = build_lexicon(sentences, options)
    assert lexicon.vocabulary[4:] == ("snorb", "glimful", "red")
    assert lexicon.sources["snorb"] == "nrc"
    assert lexicon.sources["red"] == "adjective"
    assert "wurst-gram" in lexicon.sources  # seen once: in the list, without an id
    assert lexicon.restricted_sources == {"nrc"}


def test_vader_lists_may_be_passed_on() -> None:
    lexicon = build_lexicon([["a", "happy", "red", "day"]] * 2, VocabularyOptions())
    assert lexicon.restricted_sources == frozenset()
    assert set(lexicon.sources.values()) == {"vader", "adjective"}


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("vaderSentiment.vaderSentiment", "nrclex", "textblob.en.taggers"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DependencyError, match=r"vaderSentiment is missing .*\[lexicon\]"):
        lexicon_terms("vader")
    with pytest.raises(DependencyError, match="nrclex is missing"):
        lexicon_terms("nrclex")
    with pytest.raises(DependencyError, match="textblob is missing"):
        adjectives([["a"]])


def test_the_tokenizers_vocabulary_is_the_most_frequent_words() -> None:
    turns = ["b b b a a c c d", "A a b"]
    words = build_tokenizer(turns, VocabularyOptions(max_words=2)).vocabulary[4:]
    assert words == ("b", "a")
    words = build_tokenizer(turns, VocabularyOptions(min_count=2)).vocabulary[4:]
    assert words == ("b", "a", "c")
    words = build_tokenizer(turns, VocabularyOptions(lowercase=True)).vocabulary[4:]
    assert words == ("a", "b", "c")  # 4, 4 and 2 times: a tie is broken by code point
