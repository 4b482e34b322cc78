"""Our own dialect: one dialogue, answered with all that is known of the reply."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from empgan_rt import AsyncResponder, Emotion, Responder, SearchConfig, Turn
from empgan_rt.server.native.reply_types import ReplyEvent, WholeReply
from support.event_streams import documents
from support.observing import Recorder

PATH = "/v1/reply"
TURNS: list[Any] = ["I have some good news.", {"text": "What is it?"}, "I got a new job!"]


def ask(client: TestClient, turns: Any = TURNS, **fields: Any) -> WholeReply:
    answer = client.post(PATH, json={"turns": turns, **fields})
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=WholeReply)


def test_a_dialogue_is_answered_as_the_sdk_answers_it(client: TestClient) -> None:
    alone = Responder.load("tiny")
    turns = [*TURNS[:1], Turn("What is it?"), Turn("I got a new job!", Emotion.HAPPINESS)]
    reply = alone.reply(turns, SearchConfig(num_hypotheses=5))
    found = ask(client, [*TURNS[:2], {"text": "I got a new job!", "emotion": "happiness"}])
    document = msgspec.to_builtins(found)
    assert document.pop("model") == "default"
    assert document.pop("tokens") == {
        "read": reply.context_tokens,
        "written": len(reply.token_ids),
    }
    for one, other in (*zip(document["emotions"], reply.to_dict()["emotions"], strict=True),):
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-5)
        assert (one["label"], one["given"]) == (other["label"], other["given"])
    assert [each["text"] for each in document["alternatives"]] == [
        other.text for other in reply.alternatives
    ]
    for name in ("text", "finish_reason", "unk_ratio", "turns_dropped", "bundle_id", "source"):
        assert document[name] == reply.to_dict()[name]
    assert document["score"] == pytest.approx(reply.score, abs=1e-5)


@pytest.mark.parametrize(
    ("search", "hypotheses"),
    [
        (None, 5),
        ({}, 5),
        ({"beam_size": 3}, 3),
        ({"beam_size": 3, "num_hypotheses": 2}, 2),
        ({"beam_size": 1}, 1),
        ({"num_hypotheses": 2}, 2),
        ({"num_hypotheses": 9}, 9),
        ({"sample": True}, 1),
        ({"sample": True, "num_hypotheses": 3, "seed": 1}, 3),
    ],
)
def test_a_beam_gives_all_it_found_unless_told_otherwise(
    client: TestClient, search: Any, hypotheses: int
) -> None:
    assert len(ask(client, search=search).alternatives) == hypotheses - 1


def test_settings_of_the_search_hold(client: TestClient) -> None:
    settings = {
        "beam_size": 2,
        "max_length": 6,
        "min_length": 6,
        "length_penalty": 0.5,
        "no_repeat_ngram": 2,
        "repetition_penalty": 1.2,
        "banned_words": ["sorry"],
        "allow_unknown": False,
        "early_stopping": False,
        "temperature": 0.9,
        "top_k": 10,
        "top_p": 0.9,
        "seed": 7,
    }
    found = ask(client, search=settings)
    assert found.tokens.written == 6
    assert "sorry" not in found.text.lower()
    assert (
        found.text
        == Responder.load("tiny")
        .reply(
            [Turn(turn if isinstance(turn, str) else turn["text"]) for turn in TURNS],
            SearchConfig(**{**settings, "banned_words": ("sorry",)}),
        )
        .text
    )
    samples = {**settings, "sample": True}
    assert ask(client, search=samples).text == ask(client, search=samples).text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"turns": []}, "turns"),
        ({"turns": "Hello."}, "turns"),
        ({"turns": [1]}, "turns[0]"),
        ({"turns": [{"emotion": "anger"}]}, "turns[0]"),
        ({"turns": [{"text": "Hello.", "emotion": "Anger"}]}, "turns[0].emotion"),
        ({"turns": [""]}, None),
        ({"turns": ["Hello."] * 2001}, "turns"),
        ({"search": {"beam_size": 33}}, "search.beam_size"),
        ({"search": {"beam_size": 2, "num_hypotheses": 3}}, None),
        ({"search": {"min_length": 40}}, None),
        ({"search": {"sample": 1}}, "search.sample"),
        ({"search": {"banned_words": [" "]}}, None),
        ({"search": {"banned_words": ["a"] * 101}}, "search.banned_words"),
        ({"search": []}, "search"),
        ({"stream": 1}, "stream"),
    ],
)
def test_what_is_not_acceptable_is_refused(
    client: TestClient, fields: dict[str, Any], param: str | None
) -> None:
    answer = client.post(PATH, json={"turns": TURNS, **fields})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_value", param)


def test_a_stream_is_the_reply_in_pieces(client: TestClient) -> None:
    for search in (None, {"sample": True, "seed": 3}, {"beam_size": 1}):
        answer = client.post(PATH, json={"turns": TURNS, "search": search, "stream": True})
        found = [msgspec.convert(each, ReplyEvent) for each in documents(answer.text)]
        *pieces, last = found
        whole = ask(client, search=search)
        assert "".join(piece.text or "" for piece in pieces) == whole.text
        assert last.reply is not None
        assert last.reply.text == whole.text
        assert all(piece.reply is None for piece in pieces)


def test_a_guard_answers_in_the_models_place(make_client: Any, guarded: AsyncResponder) -> None:
    found = ask(make_client(guarded), ["I don't want to live anymore."])
    assert (found.source, found.alternatives) == ("guard", [])
    assert found.verdict is not None
    assert found.verdict.category == "self_harm"


def test_the_observer_is_told(client: TestClient, recorder: Recorder) -> None:
    ask(client)
    [finished] = recorder.finished_ones
    assert (finished.endpoint, finished.finished_reason) == (PATH, "stop")
