"""Text in, text out: alone, in batches, streamed, from many threads, and refused when hostile."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from empgan_rt import (
    BundleError,
    DeadlineError,
    Dialogue,
    DivergenceError,
    Emotion,
    InputError,
    ProviderError,
    Responder,
    SearchConfig,
    Turn,
)
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.inference.request import MAX_ROWS, by_length, read_request
from support.counting_backend import counting, same
from support.gated_backend import GatedBackend
from support.toy_bundle import MODEL, WORDS, make_toy_bundle, text_files, toy_weights, write_staging

DIALOGUES: list[list[str | Turn]] = [
    ["I am happy."],
    ["What a day!", "I am not sad.", "that is great, great, great that is"],
    [Turn("you are sad", Emotion.SADNESS)],
    ["the day", Turn("is not happy"), "we we we we we we we we we we we we we we"],
    ["?"],
    ["something that nobody here ever read"],
]
SEARCHES = [
    SearchConfig(beam_size=1),
    SearchConfig(beam_size=5, num_hypotheses=3, length_penalty=0.5),
    SearchConfig(sample=True, num_hypotheses=2, seed=7),
    SearchConfig(beam_size=3, min_length=6),
    SearchConfig(beam_size=4, repetition_penalty=2.0, max_length=5),
    SearchConfig(beam_size=2, banned_words=("I", "great", "nonsense")),
]


@pytest.fixture(scope="module")
def bundle(toy_folder: Path) -> Bundle:
    return Bundle.open(toy_folder)


@pytest.fixture(scope="module")
def responder(toy_folder: Path) -> Responder:
    return Responder.load(toy_folder)


# One dialogue


def test_a_reply_tells_everything(responder: Responder) -> None:
    search = SearchConfig(beam_size=4, num_hypotheses=3)
    turns = [Turn("I am happy.", Emotion.HAPPINESS), "you zorp the day"]
    reply = responder.reply(turns, search)
    assert reply.token_ids
    assert reply.finish_reason in ("eos", "length")
    assert len(reply.alternatives) == 2
    scores = [reply.score, *(other.score for other in reply.alternatives)]
    assert scores == sorted(scores, reverse=True)
    assert reply.unk_ratio == pytest.approx(1 / 8)
    assert (reply.turns_dropped, reply.tokens_dropped) == (0, 0)
    assert reply.bundle_id == responder.bundle.bundle_id
    first, second = reply.emotions
    assert (first.label, first.given) == (Emotion.HAPPINESS, True)
    assert first.probabilities == {e: float(e is Emotion.HAPPINESS) for e in Emotion}
    assert not second.given
    assert sum(second.probabilities.values()) == pytest.approx(1.0)
    assert second.label == max(second.probabilities, key=second.probabilities.__getitem__)


def test_timings_add_up(responder: Responder) -> None:
    timings = responder.reply(["I am happy."]).timings
    parts = (timings.featurize_ms, timings.queue_ms, timings.encode_ms, timings.decode_ms)
    assert timings.total_ms == pytest.approx(sum(parts))
    assert min(parts) > 0
    assert timings.encode_ms < timings.first_token_ms <= timings.total_ms


def test_the_bundle_says_how_to_search_unless_told(toy_folder: Path, responder: Responder) -> None:
    assert responder.search == responder.bundle.search == SearchConfig(beam_size=2)
    told = Responder.load(toy_folder, search=SearchConfig(beam_size=3, max_length=2))
    assert told.search.max_length == 2
    assert len(told.reply(["I am"], replace(told.search, min_length=2)).token_ids) == 2


def test_banned_words_never_come_and_unknown_ones_ask_for_nothing(responder: Responder) -> None:
    turns, search = ["I am happy."], SearchConfig(beam_size=3, num_hypotheses=3, min_length=5)
    words = set(responder.reply(turns, search).token_ids)
    banned = [WORDS[i - 4] for i in words][:2]
    other = responder.reply(turns, replace(search, banned_words=(*banned, "zorp", "<pad>", "Zorp")))
    assert not {WORDS[i - 4] for i in other.token_ids} & {*banned}
    for alternative in other.alternatives:
        assert not {WORDS[i - 4] for i in alternative.token_ids} & {*banned}


def test_a_dead_end_is_an_empty_reply(responder: Responder) -> None:
    search = SearchConfig(beam_size=2, banned_words=tuple(WORDS))
    reply = responder.reply(["I am happy."], search)
    assert (reply.text, reply.token_ids, reply.finish_reason) == ("", (), "length")
    assert [chunk.text for chunk in responder.stream(["I am happy."], search)] == [""]


def test_old_turns_and_long_ones_are_cut_and_counted(responder: Responder) -> None:
    reply = responder.reply(["I am"] * 60 + ["day " * 200])
    assert (reply.turns_dropped, reply.tokens_dropped) == (11, 72)
    assert len(reply.emotions) == 50


def test_a_given_emotion_matters(responder: Responder) -> None:
    search = SearchConfig(beam_size=1, min_length=5)
    replies = {
        responder.reply([Turn("the day", emotion)], search).score for emotion in (None, *Emotion)
    }
    assert len(replies) == 8


# Hostile input


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([], "without turns"),
        ("hello", "one string"),
        ([""], "without any word"),
        ([" \t\n\u200b\x00"], "without any word"),
        (["I am", ""], "without any word"),
        (["a" * (1 << 20)], "1,048,576 characters"),
        (["happy \ud83d"], "surrogate"),
        ([3], "type int"),
    ],
)
def test_what_is_no_dialogue_is_refused(responder: Responder, turns: Any, message: str) -> None:
    for call in (responder.reply, responder.stream, lambda turns: responder.reply_batch([turns])):
        with pytest.raises(InputError, match=message):
            call(turns)


@pytest.mark.parametrize(
    ("text", "emotion", "message"),
    [
        (None, None, "type NoneType"),
        ("I am", "joy", "emotion 'joy'"),
        ("I am", 0, "emotion '0'"),
        ("I am", 8, "emotion '8'"),
    ],
)
def test_what_is_no_turn_is_refused(text: Any, emotion: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Turn(text, emotion)


def test_an_unknown_label_lists_all_seven() -> None:
    label: Any = "joy"
    with pytest.raises(InputError) as caught:
        Turn("I am", label)
    assert all(emotion.name in caught.value.hint for emotion in Emotion)


@pytest.mark.parametrize("text", ["\x00happy\x00", "\u202ehappy\u202c", "😀", "什么", "<eos>", "'"])
def test_odd_text_is_answered(responder: Responder, text: str) -> None:
    reply = responder.reply([text])
    assert isinstance(reply.text, str)
    assert 0.0 <= reply.unk_ratio <= 1.0


def test_nul_changes_nothing(responder: Responder) -> None:
    plain, odd = (responder.reply([text]) for text in ("I am happy.", "I am happy\x00."))
    assert same(plain, odd)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(max_size=60))
def test_any_text_is_answered_or_refused(responder: Responder, text: str) -> None:
    try:
        reply = responder.reply([text], SearchConfig(beam_size=1, max_length=3))
    except InputError:
        return
    assert reply.text.encode()


@pytest.mark.parametrize("beam", [0, -1, 10**6, True, 2.0, "5", float("nan")])
def test_a_beam_out_of_range_is_refused(beam: Any) -> None:
    with pytest.raises(InputError, match="beam_size"):
        SearchConfig(beam_size=beam)


def test_a_search_of_another_type_is_refused(responder: Responder) -> None:
    with pytest.raises(InputError, match="type dict"):
        responder.reply(["I am"], {"beam_size": 5})


def test_not_a_number_is_never_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = toy_weights()
    weights["output"][0, 0] = np.nan
    with pytest.raises(DivergenceError, match="'output'"):
        Responder.load(make_toy_bundle(tmp_path / "toy", weights=weights))
    # If they become NaN later, replies tell.
    monkeypatch.setattr("empgan_rt.bundle.bundle.check_weights", lambda data: None)
    broken = Responder.load(tmp_path / "toy")
    with pytest.raises(DivergenceError):
        broken.reply(["I am"])
    with pytest.raises(DivergenceError):
        list(broken.stream(["I am"]))


# Bundles


@pytest.mark.parametrize("harm", ["truncated", "flipped", "missing", "extra"])
def test_a_damaged_bundle_is_refused(tmp_path: Path, harm: str) -> None:
    folder = make_toy_bundle(tmp_path / "toy")
    victim = folder / "weights.safetensors"
    data = victim.read_bytes()
    if harm == "truncated":
        victim.write_bytes(data[:-1])
    elif harm == "flipped":
        victim.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif harm == "missing":
        victim.unlink()
    else:
        (folder / "stranger").write_bytes(b"")
    with pytest.raises(BundleError):
        Responder.load(folder)


def test_vocabularies_of_another_model_are_refused(tmp_path: Path) -> None:
    fields = write_staging(tmp_path / "toy")
    other = text_files(replace(MODEL, vocabulary_size=22))
    (tmp_path / "toy" / "tokenizer.json").write_bytes(other["tokenizer.json"])
    Bundle.seal(tmp_path / "toy", fields)
    with pytest.raises(BundleError, match="22 and 11 words for a model of 23 and 11"):
        Responder.load(tmp_path / "toy")


def test_what_cannot_be_loaded_is_refused(toy_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        Responder.load(tmp_path / "nothing")
    for wrong in ({"backend": "abacus"}, {"device": "tpu"}, {"precision": "fp8"}):
        with pytest.raises(InputError, match=next(iter(wrong.values()))):
            Responder.load(toy_folder, **wrong)
    with pytest.raises(InputError, match="turn_cache is -1"):
        Responder.load(toy_folder, turn_cache=-1)


def test_the_licence_of_the_weights_is_logged(
    toy_folder: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, logger="empgan_rt"):
        Responder.load(toy_folder)
    assert [r.getMessage() for r in caplog.records if "licensed 'CC0-1.0'" in r.getMessage()]
    assert capsys.readouterr().out == ""


def test_a_closed_responder_says_so(toy_folder: Path) -> None:
    with Responder.load(toy_folder) as responder:
        responder.reply(["I am"])
    with pytest.raises(InputError, match="closed"):
        responder.reply(["I am"])


# Batches


def test_a_batch_equals_one_by_one(responder: Responder) -> None:
    single = [responder.reply(d, s) for d, s in zip(DIALOGUES, SEARCHES, strict=True)]
    batch = responder.reply_batch(DIALOGUES, SEARCHES)
    assert all(map(same, batch, single))
    backwards = responder.reply_batch(DIALOGUES[::-1], SEARCHES[::-1])
    assert all(map(same, backwards[::-1], single))


def test_a_batch_takes_one_search_or_none(responder: Responder) -> None:
    search = SearchConfig(beam_size=3)
    together = responder.reply_batch(DIALOGUES, search)
    each = responder.reply_batch(DIALOGUES, [search] * len(DIALOGUES))
    assert all(map(same, together, each))
    default = responder.reply_batch([Dialogue.of(DIALOGUES[0])])
    assert same(default[0], responder.reply(DIALOGUES[0]))
    assert responder.reply_batch([]) == []


def test_a_batch_names_the_dialogue_at_fault(responder: Responder) -> None:
    with pytest.raises(InputError, match="dialogue 2: a turn without any word"):
        responder.reply_batch([["I am"], ["you"], [""]])
    with pytest.raises(InputError, match="2 searches for 1 dialogues"):
        responder.reply_batch([["I am"]], [SearchConfig()] * 2)


def test_a_batch_is_bounded_and_refilled_shortest_first(bundle: Bundle) -> None:
    responder, backend = counting(bundle)
    dialogues = [["I am"] * (1 + i % 7) for i in range(70)]
    replies = responder.reply_batch(dialogues, SearchConfig(beam_size=1, max_length=2))
    assert backend.widths == [32, 32, 6]
    assert [len(reply.emotions) for reply in replies] == [len(d) for d in dialogues]
    requests = [read_request(d, responder.search, bundle.featurizer()) for d in dialogues]
    lengths = [len(dialogues[place]) for place in by_length(requests)]
    assert lengths == sorted(lengths)
    responder.reply_batch(dialogues, max_batch=4)
    assert max(backend.widths[3:]) == 4


def test_rows_are_bounded_however_many_ask(bundle: Bundle) -> None:
    responder, backend = counting(bundle)
    search = SearchConfig(beam_size=128, max_length=2)
    replies = responder.reply_batch([["I am"]] * 20, search)
    assert max(backend.rows) == MAX_ROWS
    assert all(same(reply, replies[0]) for reply in replies)


# Threads and deadlines


def test_eight_threads_get_the_same_replies(bundle: Bundle) -> None:
    responder, _ = counting(bundle, pause_s=0.0005)
    wanted = [responder.reply(d, s) for d, s in zip(DIALOGUES, SEARCHES, strict=True)]
    wrong: list[object] = []

    def work(offset: int) -> None:
        try:
            for i in range(len(DIALOGUES)):
                place = (i + offset) % len(DIALOGUES)
                turns, search = DIALOGUES[place], SEARCHES[place]
                if offset % 2:
                    reply = responder.reply(turns, search)
                else:
                    reply = list(responder.stream(turns, search))[-1].reply
                if not same(reply, wanted[place]):
                    wrong.append(place)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_deadline_ends_the_search_between_steps(bundle: Bundle) -> None:
    responder, backend = counting(bundle, pause_s=0.05)
    search = SearchConfig(beam_size=1, min_length=100, max_length=100, no_repeat_ngram=0)
    with pytest.raises(DeadlineError, match="time allowed"):
        responder.reply(["I am"], search, deadline_s=0.12)
    assert 1 <= backend.steps < 50
    assert responder.reply(["I am"], deadline_s=1e9).token_ids  # the backend is free again


def test_a_deadline_counts_the_wait_for_other_threads(bundle: Bundle) -> None:
    responder, backend = counting(bundle, pause_s=0.3)
    short = SearchConfig(max_length=2)
    other = threading.Thread(target=responder.reply, args=(["I am"], short))
    other.start()
    while not backend.inside:
        time.sleep(0.001)
    with pytest.raises(DeadlineError):
        responder.reply(["I am"], deadline_s=0.01)
    other.join()
    assert backend.encodes == 1


@pytest.mark.parametrize("deadline_s", [0, -1.0, float("nan"), float("inf")])
def test_a_senseless_deadline_is_refused(responder: Responder, deadline_s: float) -> None:
    with pytest.raises(InputError, match="deadline_s"):
        responder.reply(["I am"], deadline_s=deadline_s)


# Streams


@pytest.mark.parametrize("place", range(len(DIALOGUES)))
def test_a_stream_equals_the_reply(responder: Responder, place: int) -> None:
    turns, search = DIALOGUES[place], SEARCHES[place]
    *chunks, last = responder.stream(turns, search)
    reply = responder.reply(turns, search)
    assert all(chunk.reply is None and chunk.text for chunk in chunks)
    assert same(last.reply, reply)
    assert "".join(chunk.text for chunk in (*chunks, last)) == reply.text
    assert all(chunk.tokens > 0 for chunk in chunks)
    assert sum(chunk.tokens for chunk in (*chunks, last)) == len(reply.token_ids)


def test_a_greedy_stream_comes_word_by_word(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    responder, backend = counting(bundle)
    small = [word for word in WORDS if word.islower()] + ["."]  # these may begin a name, or end it
    search = SearchConfig(beam_size=1, min_length=8, max_length=8, banned_words=small)
    read, step = threading.Semaphore(1), backend.step

    def step_when_read(*arguments: Any) -> Any:
        read.acquire()
        return step(*arguments)

    monkeypatch.setattr(backend, "step", step_when_read)
    seen = []
    for chunk in responder.stream(["I am happy."], search):
        seen.append((backend.steps, chunk.tokens))
        read.release()
    assert seen == [(step, 1) for step in range(1, 9)]


def test_what_may_begin_a_name_comes_with_the_word_behind_it(responder: Responder) -> None:
    search = SearchConfig(beam_size=1, min_length=8, max_length=8)
    texts = [chunk.text for chunk in responder.stream(["I am happy."], search)]
    assert "".join(texts) == "You what you what that. You you"
    assert texts[0] != "You"  # "you.com" would be small
    assert " You" not in texts  # nor is there a space in "that.you.com"


def test_closing_a_stream_stops_the_backend(bundle: Bundle) -> None:
    responder, backend = counting(bundle)
    stream = responder.stream(["I am"], SearchConfig(beam_size=1, min_length=20))
    next(stream)
    before = backend.steps
    stream.close()
    assert backend.steps - before <= 1
    responder.reply(["I am"])  # the lock is free


def test_a_stream_that_nobody_reads_delays_nobody(bundle: Bundle) -> None:
    responder, _ = counting(bundle)
    search = SearchConfig(beam_size=1, min_length=10)
    stream = responder.stream(["I am"], search)
    next(stream)
    between = responder.reply(["the day"])
    rest: Iterator[Any] = stream
    reply = list(rest)[-1].reply
    assert same(reply, responder.reply(["I am"], search))
    assert same(between, responder.reply(["the day"]))


def test_a_forked_child_is_told_and_never_waits(
    toy_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Bundle.open(toy_folder)
    backend = GatedBackend(OrtBackend(bundle))
    responder = Responder(bundle, backend)
    stream = responder.stream(["I am happy."], SearchConfig(beam_size=1, min_length=20))
    backend.let(5)
    next(stream)  # of a reply that is under way, and stays so
    parent = os.getpid()
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: parent + 1)
        with pytest.raises(ProviderError, match="forked"):
            responder.reply(["I am happy."], deadline_s=0.2)
        with pytest.raises(ProviderError, match="forked"):
            next(stream)
        with pytest.raises(ProviderError, match="forked"):
            responder.close()
    backend.open_for_all()
    responder.close()


def test_what_is_no_tuple_of_turns_is_no_dialogue() -> None:
    for turns in (("hi",), "hi", None, (Turn("hi"), None)):
        with pytest.raises(InputError, match="of type"):
            Dialogue(turns)
    for turns in (None, 3):
        with pytest.raises(InputError, match="of type"):
            Dialogue.of(turns)


@pytest.mark.parametrize(
    "wrong",
    [
        {"banned_words": None},
        {"banned_words": 3},
        {"banned_words": "tea"},
        {"banned_words": ("tea", 3)},
        {"banned_words": ("tea", "")},
        {"banned_words": ["\t "]},
        {"banned_words": ["x" * 201]},
        {"banned_words": ["x"] * 10_001},
        {"banned_words": ["\ud800"]},
        {"seed": True},
        {"seed": 1.0},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": 2**64},
        {"seed": 10**5000},
        {"beam_size": 10**5000},
    ],
)
def test_settings_of_another_type_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        SearchConfig(**wrong)


def test_a_streams_deadline_ends_it(responder: Responder) -> None:
    with pytest.raises(InputError, match="deadline_s"):
        responder.stream(["I am"], deadline_s=0)
    with pytest.raises(DeadlineError):
        [*responder.stream(["I am"], deadline_s=1e-9)]
    *_, last = responder.stream(["I am"], deadline_s=1e9)
    assert last.reply is not None


def test_a_reply_is_ready_for_json(responder: Responder) -> None:
    search = SearchConfig(beam_size=2, num_hypotheses=2)
    reply = responder.reply([Turn("I am", Emotion.SADNESS), "we"], search)
    told = json.loads(json.dumps(reply.to_dict()))
    assert told["text"] == reply.text
    assert told["bundle_id"] == responder.bundle.bundle_id
    assert told["emotions"][0] == {"label": "sadness", "probability": 1.0, "given": True}
    assert told["alternatives"] == [
        {"text": other.text, "score": other.score, "finish_reason": other.finish_reason}
        for other in reply.alternatives
    ]
    assert (told["source"], told["verdict"]) == ("model", None)
