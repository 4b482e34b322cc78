import pytest

from empgan_rt.errors import DataError, InputError
from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_training.metrics.word_frequency import FrequentWord, most_frequent_words

# "glad" has an id of its own, "sorry" shares UNK: both are emotion words
LEXICON = EmotionLexicon({"glad": "vader", "sorry": "vader", "not": "vader"}, ["glad"])


def words(text: str) -> list[str]:
    return text.split()


def names(*hypotheses: str) -> list[str]:
    return [w.word for w in most_frequent_words([h.split() for h in hypotheses], LEXICON, 99)]


def test_ranks_marks_and_counts() -> None:
    table = most_frequent_words(
        [words("I think I 'm glad ."), words("Glad you came , I think ."), ["sorry"]], LEXICON, 4
    )
    assert table == (
        FrequentWord("I", 3, False),
        FrequentWord("think", 2, False),
        FrequentWord("Glad", 1, True),  # counted apart from "glad", and emotional in any case
        FrequentWord("came", 1, False),
    )


def test_ties_are_in_alphabetical_order_whatever_the_texts_order() -> None:
    assert names("tea cake milk") == names("milk tea cake") == ["cake", "milk", "tea"]


def test_function_words_punctuation_and_numbers_are_left_out() -> None:
    assert names("That 's the idea , and he did n't go to it in 1999 !") == [
        *("That", "go", "he", "idea", "it")
    ]
    assert names("We DON'T , The won't AND Ca n't") == ["We"]


def test_every_word_of_the_papers_rows_can_be_counted() -> None:
    rows = "I go you Yes That like think it good know You What going would well that OK It "
    rows += "idea glad great one love sorry Here"
    assert sorted(names(rows)) == sorted(rows.split())


def test_the_table_ends_at_the_limit_or_the_last_type() -> None:
    text = [[chr(97 + i) * 3 for i in range(20)]]
    assert len(most_frequent_words(text, LEXICON)) == 10
    assert most_frequent_words([["."], []], LEXICON) == ()


def test_refuses_no_hypothesis_and_no_row() -> None:
    with pytest.raises(DataError, match="0 hypotheses"):
        most_frequent_words([], LEXICON)
    with pytest.raises(InputError, match="limit is 0"):
        most_frequent_words([["a"]], LEXICON, 0)
