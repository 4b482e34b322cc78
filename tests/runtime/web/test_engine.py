"""The browser's engine under Node.js: text, search and guard are those of Python, value for value.

What it computes with a model is tested in a browser (`test_web_in_browser`).
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.dialogue.turns import Dialogue, Emotion, Turn
from empgan_rt.dialogue.verdict import Verdict
from empgan_rt.errors import InputError
from empgan_rt.graph_spec import SOS, SPECIALS
from empgan_rt.guard.word_guard import WordGuard
from empgan_rt.search.beam_search import BeamSearch
from empgan_rt.search.decode import decode
from empgan_rt.text.bans import Bans
from empgan_rt.text.detokenizer import detokenise
from empgan_rt.text.featurizer import Featurizer
from empgan_rt.text.tokenizer import Tokenizer
from empgan_rt.web.guard_file import guard_file
from empgan_rt.web.model_files import FACTS, bans_table, model_files
from support.guard_lines import read_lines
from support.scripted_backend import Prefix, ScriptedBackend, normalised
from support.web_engine import differences, needs_node, run_engine
from support.web_texts import around_characters, dialogue_beginnings, disguised, voice_contexts

pytestmark = needs_node

WORDS = 12  # of a scripted model
SEARCHES = [
    SearchConfig(),
    SearchConfig(beam_size=1),
    SearchConfig(beam_size=3, early_stopping=False, length_penalty=0.6, max_length=9),
    SearchConfig(beam_size=4, no_repeat_ngram=2, min_length=5, max_length=12),
    SearchConfig(beam_size=2, no_repeat_ngram=1, allow_unknown=True),
    SearchConfig(beam_size=5, no_repeat_ngram=0, repetition_penalty=1.4, max_length=8),
    SearchConfig(beam_size=8, length_penalty=-1.0, min_length=0, early_stopping=False),
]
BANS = [
    Bans(),
    Bans.of([(frozenset({5}),), (frozenset({6, 7}), frozenset({8}))]),
    Bans.of([(frozenset({4}), frozenset({4, 9}), frozenset({10, 11}))]),
]


def facts_of(name: str) -> Any:
    return msgspec.json.decode(model_files(Bundle.open(name), "fp32", name)[FACTS])


def words_in_node(texts: list[str], *, lowercase: bool) -> list[list[str]]:
    text = {"vocabulary": SPECIALS, "lowercase": lowercase, "emotion_words": {}}
    found: list[list[str]] = run_engine("words", {"text": text, "limits": {}, "texts": texts})
    return found


@pytest.mark.parametrize("lowercase", [False, True])
def test_words(lowercase: bool) -> None:
    texts = [turn for turns in voice_contexts() for turn in turns]
    texts += [*disguised(texts, seed=1), *around_characters(every=61), ""]
    rules = Tokenizer.from_words([], lowercase=lowercase)
    found = words_in_node(texts, lowercase=lowercase)
    assert differences(found, [rules.words(text) for text in texts], texts) == []


@pytest.mark.slow
def test_words_around_every_character() -> None:
    texts = around_characters()
    rules = Tokenizer.from_words([])
    found = words_in_node(texts, lowercase=False)
    assert differences(found, [rules.words(text) for text in texts], texts) == []


@pytest.mark.parametrize("name", ["tiny", "default"])
def test_features_of_dialogues(name: str) -> None:
    featurizer = Bundle.open(name).featurizer()
    facts = facts_of(name)
    chosen = random.Random(2)
    dialogues = [
        [Turn(text, chosen.choice([None, None, *Emotion])) for text in turns]
        for turns in [*voice_contexts(), *dialogue_beginnings()[:300]]
    ]
    dialogues += [
        [Turn("hm")] * 60,  # more turns than are read
        [Turn("sad happy " * 100)],  # more words of both kinds
        [Turn("<pad> <eos> zqxj")],  # what is in no vocabulary
    ]
    asked = [[as_spoken(turn) for turn in turns] for turns in dialogues]
    found = run_engine("features", {**facts, "dialogues": asked})
    wanted = [features_in_python(featurizer, turns) for turns in dialogues]
    assert differences(found, wanted, dialogues) == []


def features_in_python(featurizer: Featurizer, turns: list[Turn]) -> dict[str, Any]:
    features = featurizer.features(Dialogue.of(turns))
    return {
        "turns": [
            {
                "tokenIds": turn.token_ids,
                "emotionIds": turn.emotion_ids,
                "label": turn.label,
                "tokensDropped": turn.tokens_dropped,
            }
            for turn in features.turns
        ],
        "turnsDropped": features.turns_dropped,
        "tokensDropped": features.tokens_dropped,
        "unkRatio": features.unk_ratio,
    }


@pytest.mark.parametrize("text", ["", " \u200b ", "x" * 21, "a \ud800"])
def test_what_python_refuses_is_refused(text: str) -> None:
    bundle = Bundle.open("tiny")
    limits = replace(bundle.limits, max_characters=20)
    read = Featurizer(bundle.featurizer().tokenizer, bundle.featurizer().lexicon, limits)
    with pytest.raises(InputError):
        read.turn_features(Turn(text))
    given = {**facts_of("tiny"), "limits": msgspec.to_builtins(limits)}
    (found,) = run_engine("features", {**given, "dialogues": [[{"text": text}]]})
    assert list(found) == ["refused"]


@pytest.mark.parametrize("whole", [True, False])
def test_replies_become_text(whole: bool) -> None:
    vocabulary = facts_of("default")["text"]["vocabulary"][len(SPECIALS) :]
    chosen = random.Random(4)
    marks = [*".,!?'\"-()/$%", "...", "'s", "n't", "i", "U", "S", "www", "com", "90", "3", "<", "s"]
    marks += [*"@.@.+#&:;=_~€°²", "C", "R", "AT", "m", "co", "uk", "txt", "http", "Ph", "D", "_x"]
    marks += ["p.m.", "my-host", "vs", "Ⓐ", "Dž"]
    replies = [
        chosen.choices([*chosen.sample(vocabulary, 20), *marks], k=chosen.randint(0, 14))
        for _ in range(4000)
    ]
    rules = Tokenizer.from_words([])
    replies += [rules.words(turn) for turns in voice_contexts() for turn in turns]
    found = run_engine("texts", {"replies": replies, "whole": whole})
    wanted = [detokenise(words, whole=whole) for words in replies]
    assert differences(found, wanted, replies) == []


@pytest.mark.parametrize("bans", BANS)
@pytest.mark.parametrize("ties", [False, True])
def test_searches(bans: Bans, ties: bool) -> None:
    drawn = np.random.default_rng(5)
    asked, wanted = [], []
    for config in [replace(c, num_hypotheses=c.beam_size) for c in SEARCHES for _ in range(20)]:
        table = (
            tied(drawn)
            if ties
            else [normalised(1.5 * row) for row in drawn.normal(size=(WORDS, WORDS))]
        )
        lists = [row.tolist() for row in table]
        asked.append(
            {"table": lists, "config": msgspec.to_builtins(config), "bans": bans_table(bans)}
        )
        wanted.append(searched_in_python(table, config, bans))
    for found, expected in zip(run_engine("searches", asked), wanted, strict=True):
        scores = [each.pop("score") for each in found["found"]]
        # The last bit of a power is the platform's own.
        assert scores == pytest.approx([each.pop("score") for each in expected["found"]], rel=1e-14)
        assert differences([found], [expected], [None]) == []


def tied(drawn: np.random.Generator) -> list[Any]:
    """Return whole numbers, many of them alike."""
    return [-row.astype(np.float32) for row in drawn.integers(1, 4, (WORDS, WORDS))]


def searched_in_python(table: list[Any], config: SearchConfig, bans: Bans) -> dict[str, Any]:
    def model(dialogue: int, prefix: Prefix) -> Any:
        return table[prefix[-1] if prefix else SOS]

    backend = ScriptedBackend(model, WORDS)
    prefixes: list[list[int]] = []

    def note(search: BeamSearch) -> None:
        prefixes.append([*search.shared_prefix(0)])

    (found,) = decode(backend, backend.encoded([0]), [config], [bans], WORDS, note)
    return {
        "found": [
            {
                "tokenIds": [*h.token_ids],
                "logProb": h.log_prob,
                "score": h.score,
                "finishReason": h.finish_reason,
            }
            for h in found
        ],
        "prefixes": prefixes,
    }


def test_verdicts() -> None:
    texts = [line.text for line in read_lines()]
    texts += [turn for turns in voice_contexts() for turn in turns]
    texts += [*disguised(texts, seed=6)]  # all of them before the list grows
    texts = [text for text in texts if text.strip()]
    chosen = random.Random(7)
    dialogues = [[text] for text in texts]
    dialogues += [chosen.choices(texts, k=5) for _ in range(500)]
    replies = [chosen.choices(texts, k=chosen.randint(1, 5)) for _ in range(500)]
    heard: list[list[Turn]] = [
        [Turn("Well.", chosen.choice([None, *Emotion]))] * chosen.randint(0, 1) for _ in replies
    ]
    guard = WordGuard(locale="en-GB")
    given = {
        "words": msgspec.json.decode(guard_file(None, "en-GB")),
        "dialogues": [[{"text": text} for text in turns] for turns in dialogues],
        "replies": [
            {
                "turns": [as_spoken(turn) for turn in turns],
                "texts": each,
            }
            for turns, each in zip(heard, replies, strict=True)
        ],
    }
    on_messages, on_replies = run_engine("verdicts", given)
    wanted = [guard.check_input([Turn(text) for text in turns]) for turns in dialogues]
    assert differences(on_messages, [as_engine(verdict) for verdict in wanted], dialogues) == []
    assert sum(verdict.action != "allow" for verdict in wanted) > 100
    wanted = [guard.check_reply(*asked) for asked in zip(heard, replies, strict=True)]
    assert differences(on_replies, [as_engine(verdict) for verdict in wanted], replies) == []
    assert sum(verdict.candidates is not None for verdict in wanted) > 100
    assert {"condolence", "congratulation"} <= {verdict.category for verdict in wanted}


def as_spoken(turn: Turn) -> dict[str, Any]:
    return {"text": turn.text, "emotion": turn.emotion and turn.emotion.name.lower()}


def as_engine(verdict: Verdict) -> dict[str, Any]:
    return {
        "action": verdict.action,
        "text": verdict.text,
        "category": verdict.category,
        "rule": verdict.rule,
        "message": verdict.message,
        "candidates": verdict.candidates and [*verdict.candidates],
    }


def test_events_come_whole_wherever_a_stream_is_cut() -> None:
    wanted = [{"text": "caf\u00e9 \U0001f600"}, {"text": "a\n\nb"}, {"reply": {"text": "c"}}]
    lines = [f"data: {json.dumps(each, ensure_ascii=False)}\n\n" for each in wanted]
    sent = "".join((*lines, ": still here\n\n", "data: [DONE]\n\n")).encode()
    streams = [[[*sent[:cut]], [*sent[cut:]]] for cut in range(len(sent))]
    streams.append([[byte] for byte in sent])
    assert run_engine("events", streams) == [wanted] * len(streams)
