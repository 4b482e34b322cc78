"""What is banned never shows in a reply, however it is written, and nothing else changes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from empgan_rt import InputError, Reply, Responder, SearchConfig

CONTEXTS: list[list[str]] = [
    ["I lost my keys again this morning."],
    ["Would you like some tea?", "Yes, please. It's been a long day."],
    ["My sister had a baby last night!"],
    ["I can't find a seat near the window.", "Shall we ask the waiter?", "I don't know."],
    ["He said that he'd never speak to me again."],
    ["What time does the train leave?"],
]
SEARCHES = [
    SearchConfig(beam_size=1),
    SearchConfig(beam_size=4, num_hypotheses=3, min_length=4),
    SearchConfig(sample=True, num_hypotheses=2, seed=5, top_k=20),
    SearchConfig(beam_size=3, repetition_penalty=1.5, no_repeat_ngram=2, allow_unknown=True),
]


@pytest.fixture(scope="module", params=["tiny", "default"])
def responder(request: pytest.FixtureRequest) -> Iterator[Responder]:
    with Responder.load(request.param) as loaded:
        yield loaded


def texts(reply: Reply) -> list[str]:
    return [reply.text, *(other.text for other in reply.alternatives)]


def says(text: str, entry: str) -> bool:
    """Return whether the text shows an entry, capitals aside, between word boundaries."""
    entry = entry.replace("’", "'").replace("' ", "'").replace(" '", "'")
    after = r"(?![\w'-])" if entry.strip()[-1].isalnum() else r"(?![\w.])"
    pattern = r"\s+".join(map(re.escape, entry.split()))
    return re.search(rf"(?<![\w'-]){pattern}{after}", text, re.IGNORECASE) is not None


def reads_as(words: Callable[[str], list[str]], text: str, entry: str) -> bool:
    """Return whether the words of an entry are among those of a text, in a row."""
    own = [word.casefold() for word in words(text)]
    wanted = [word.casefold() for word in words(entry)]
    return any(own[i : i + len(wanted)] == wanted for i in range(len(own)))


def rewritten(entry: str, draw: random.Random) -> str:
    """Return an entry as another person might write it."""
    entry = draw.choice([str.lower, str.upper, str.title, str])(entry)
    entry = entry.replace("'", draw.choice(["'", "’", " ’ ", "`"]))
    return draw.choice(["", " "]) + entry.replace(" ", draw.choice([" ", "  "])) + "  "


@pytest.mark.parametrize("seed", [7, *(pytest.param(n, marks=pytest.mark.slow) for n in range(8))])
def test_what_is_taken_from_a_reply_and_banned_never_comes_again(
    responder: Responder, seed: int
) -> None:
    words_of = responder.bundle.featurizer().tokenizer.words
    draw = random.Random(seed)
    met = 0
    for turns in CONTEXTS:
        for search in SEARCHES:
            words = draw.choice(texts(responder.reply(turns, search))).split()
            start = draw.randrange(len(words))
            entries = [" ".join(words[start : start + draw.randint(1, 4)])]
            for _ in range(2):  # what comes instead is banned next
                banned = replace(
                    search, banned_words=tuple(rewritten(entry, draw) for entry in entries)
                )
                reply = responder.reply(turns, banned)
                streamed = "".join(chunk.text for chunk in responder.stream(turns, banned))
                assert streamed == reply.text
                for text in texts(reply):
                    found = [entry for entry in entries if says(text, entry)]
                    assert not found
                    assert not any(reads_as(words_of, text, entry) for entry in entries)
                    met += 1
                words = reply.text.split()
                if words:
                    start = draw.randrange(len(words))
                    entries.append(" ".join(words[start : start + draw.randint(1, 3)]))
    assert met > 70


@pytest.mark.parametrize(
    "write",
    [str, str.upper, "{}  ".format, "\u200b {}".format, lambda entry: entry.replace("'", "’")],
    ids=["as is", "upper case", "spaces", "zero width", "curly"],
)
def test_phrases_and_contractions_are_banned_however_they_are_written(
    responder: Responder, write: Callable[[str], str]
) -> None:
    search = SearchConfig(beam_size=8, num_hypotheses=8, min_length=6)
    found = [(turns, text) for turns in CONTEXTS for text in texts(responder.reply(turns, search))]
    turns, contraction = next(
        (turns, match[0])
        for turns, text in found
        if (match := re.search(r"[A-Za-z]+'[a-z]+", text))
    )
    phrase = " ".join(responder.reply(turns, search).text.split()[:2])
    for entry in (phrase, contraction):
        reply = responder.reply(turns, replace(search, banned_words=(write(entry),)))
        assert not [text for text in texts(reply) if says(text, entry)]


def test_a_search_that_never_met_a_ban_is_the_same_to_the_bit(responder: Responder) -> None:
    bans = ("purple elephants", "Zorp", "zorp off", "it's never too late", "shut up", "the the")
    for turns in CONTEXTS:
        for search in SEARCHES:
            free = responder.reply(turns, search)
            if any(says(text, "shut up") for text in texts(free)):
                continue
            banned = responder.reply(turns, replace(search, banned_words=bans))
            assert (banned.text, banned.token_ids, banned.score) == (
                free.text,
                free.token_ids,
                free.score,
            )
            assert banned.alternatives == free.alternatives


def test_special_tokens_are_words_like_any_other(responder: Responder) -> None:
    search = SearchConfig(beam_size=3, num_hypotheses=3, allow_unknown=True)
    for entry in ("<eos>", "<pad>", "<sos>"):
        free, banned = (
            responder.reply(CONTEXTS[0], replace(search, banned_words=words))
            for words in ((), (entry,))
        )
        assert texts(banned) == texts(free)
    banned = responder.reply(CONTEXTS[0], replace(search, banned_words=("<UNK>",), min_length=9))
    assert not [text for text in texts(banned) if "<unk>" in text]


def test_what_has_no_word_is_refused(responder: Responder) -> None:
    with pytest.raises(InputError, match=r"banned_words\[1\] has no word"):
        responder.reply(CONTEXTS[0], SearchConfig(banned_words=("tea", "\u200b")))
    with pytest.raises(InputError, match=r"banned_words\[0\] has more than 500 spellings"):
        Responder.load("default").reply(CONTEXTS[0], SearchConfig(banned_words=("." * 40,)))


def test_what_the_vocabulary_cannot_spell_is_told_once(
    responder: Responder, caplog: pytest.LogCaptureFixture
) -> None:
    search = SearchConfig(banned_words=("zorp", "you", "you zorps"))
    for _ in range(2):
        responder.reply(CONTEXTS[0], search)
    (record,) = caplog.records
    assert record.getMessage().startswith("2 of 3 banned words can never come")
    assert "the first is banned_words[0]" in record.getMessage()
    assert "zorp" not in record.getMessage()
