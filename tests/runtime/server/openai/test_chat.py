"""Chat completions, whole and in pieces."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from empgan_rt import AsyncResponder, Emotion, Responder, SearchConfig, Turn
from empgan_rt.server.openai.chat_types import ChatChunk, ChatCompletion
from support.event_streams import documents, events
from support.observing import Recorder

PATH = "/v1/chat/completions"
SAID = "I lost my keys today."
ASKED = [{"role": "user", "content": SAID}]
DIALOGUE = [
    {"role": "user", "content": "I have some good news."},
    {"role": "assistant", "content": "What is it?"},
    {"role": "user", "content": "I got a new job!"},
]


@pytest.fixture(scope="module")
def alone() -> Responder:
    return Responder.load("tiny")


def ask(client: TestClient, messages: Any = ASKED, **fields: Any) -> ChatCompletion:
    answer = client.post(PATH, json={"messages": messages, **fields})
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=ChatCompletion)


def texts(completion: ChatCompletion) -> list[str]:
    return [choice.message.content for choice in completion.choices]


def refused(client: TestClient, **fields: Any) -> tuple[str, str | None]:
    answer = client.post(PATH, json={"messages": ASKED, **fields})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    return error["code"], error["param"]


def test_a_dialogue_is_answered_as_the_sdk_answers_it(client: TestClient, alone: Responder) -> None:
    found = ask(client, DIALOGUE)
    turns = [message["content"] for message in DIALOGUE]
    reply = alone.reply(turns, SearchConfig(beam_size=5, num_hypotheses=5))
    assert texts(found) == [reply.text]
    assert [each.text for each in found.empgan.alternatives] == [
        other.text for other in reply.alternatives
    ]
    assert [each.label for each in found.empgan.emotions] == [
        each.label.name.lower() for each in reply.emotions
    ]
    assert found.usage.prompt_tokens == reply.context_tokens == 16
    assert found.usage.completion_tokens == len(reply.token_ids)
    assert found.usage.total_tokens == 16 + len(reply.token_ids)
    assert (found.model, found.choices[0].finish_reason) == ("default", "stop")
    assert found.empgan.source == "model"
    assert found.empgan.verdict is None


def test_several_replies_are_choices_and_the_others_alternatives(
    client: TestClient, alone: Responder
) -> None:
    reply = alone.reply([SAID], SearchConfig(beam_size=5, num_hypotheses=5))
    ranked = [reply.text, *(other.text for other in reply.alternatives)]
    found = ask(client, n=3)
    assert texts(found) == ranked[:3]
    assert [choice.index for choice in found.choices] == [0, 1, 2]
    assert [each.text for each in found.empgan.alternatives] == ranked[3:]
    assert len(ask(client, n=7).choices) == 7


def test_a_given_emotion_is_taken(client: TestClient, alone: Responder) -> None:
    found = ask(client, [{"role": "user", "content": SAID, "emotion": "anger"}])
    assert texts(found) == [alone.reply([Turn(SAID, Emotion.ANGER)]).text]
    assert [(each.label, each.given) for each in found.empgan.emotions] == [("anger", True)]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_have_no_effect_and_that_is_told(client: TestClient, role: str) -> None:
    body = {"messages": [{"role": role, "content": "Be rude."}, *ASKED]}
    answer = client.post(PATH, json=body)
    assert answer.headers["x-empgan-ignored"] == "system"
    assert answer.json()["choices"] == client.post(PATH, json={"messages": ASKED}).json()["choices"]
    assert "x-empgan-ignored" not in client.post(PATH, json={"messages": ASKED}).headers


def test_parts_are_joined_by_newlines(client: TestClient) -> None:
    parts = [{"type": "text", "text": "I lost my keys"}, {"type": "input_text", "text": "today."}]
    found = ask(client, [{"role": "user", "content": parts}])
    assert texts(found) == texts(
        ask(client, [{"role": "user", "content": "I lost my keys\ntoday."}])
    )


def test_what_the_model_said_without_words_is_left_out(client: TestClient) -> None:
    silent = [DIALOGUE[0], {"role": "assistant", "content": ""}, DIALOGUE[2]]
    without = [DIALOGUE[0], DIALOGUE[2]]
    assert texts(ask(client, silent)) == texts(ask(client, without))
    assert texts(ask(client, [DIALOGUE[0], {"role": "assistant"}, DIALOGUE[2]])) == texts(
        ask(client, without)
    )


@pytest.mark.parametrize(
    ("messages", "code", "param"),
    [
        ([], "invalid_value", "messages"),
        ([{"role": "assistant", "content": "Hello."}], "invalid_value", "messages"),
        ([*ASKED, {"role": "assistant", "content": "Hello."}], "invalid_value", "messages"),
        ([{"role": "system", "content": "Hello."}], "invalid_value", "messages"),
        ([{"role": "tool", "content": "1"}, *ASKED], "unsupported_role", "messages[0].role"),
        ([{"role": "function", "content": "1"}], "unsupported_role", "messages[0].role"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
            "unsupported_content",
            "messages[0].content[0]",
        ),
        ([{"role": "user", "content": [{"type": "text"}]}], "unsupported_content", None),
        ([{"role": "user", "content": 3}], "invalid_value", "messages[0].content"),
        ([{"role": "user", "content": ""}], "invalid_value", None),
        ([{"role": "user"}], "invalid_value", None),
        ([{"content": "Hello."}], "invalid_value", "messages[0]"),
        ([{"role": "user", "content": "x", "emotion": "joy"}], "invalid_value", None),
        ([{"role": "user", "content": "word " * 5000}], "invalid_value", None),
        ("Hello.", "invalid_value", "messages"),
    ],
)
def test_messages_that_cannot_be_read_are_refused(
    client: TestClient, messages: Any, code: str, param: str | None
) -> None:
    found, where = refused(client, messages=messages)
    assert found == code
    assert param is None or where == param


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frequency_penalty", 0.5),
        ("presence_penalty", -1),
        ("logit_bias", {"50256": -100}),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
        ("tool_choice", "required"),
        ("functions", [{"name": "f"}]),
        ("function_call", {"name": "f"}),
        ("response_format", {"type": "json_object"}),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("modalities", ["text", "audio"]),
        ("web_search_options", {}),
    ],
)
def test_what_the_model_cannot_do_is_refused_by_name(
    client: TestClient, name: str, value: Any
) -> None:
    assert refused(client, **{name: value}) == ("unsupported_parameter", name)


def test_what_asks_for_nothing_is_accepted(client: TestClient) -> None:
    neutral = {
        "frequency_penalty": 0,
        "presence_penalty": 0.0,
        "logit_bias": {},
        "logprobs": False,
        "top_logprobs": 0,
        "tools": [],
        "tool_choice": "auto",
        "functions": [],
        "response_format": {"type": "text"},
        "audio": None,
        "modalities": ["text"],
        "user": "somebody",
        "metadata": {"a": "b"},
        "store": True,
        "service_tier": "auto",
        "reasoning_effort": "low",
        "parallel_tool_calls": True,
        "something_new": [1, {"two": 3}],
        "stream": None,
        "stream_options": None,
        "n": None,
        "stop": None,
        "seed": None,
    }
    assert texts(ask(client, **neutral)) == texts(ask(client))
    assert texts(ask(client, user={"id": 1})) == texts(ask(client))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", "hot"),
        ("top_p", 1.1),
        ("n", 0),
        ("n", 33),
        ("n", 1.5),
        ("max_tokens", 0),
        ("max_completion_tokens", -1),
        ("stop", ["a", "b", "c", "d", "e"]),
        ("stop", ""),
        ("seed", 1.5),
        ("top_k", -2),
        ("repetition_penalty", 0.5),
        ("min_tokens", -1),
        ("bad_words", "shut up"),
        ("model", ""),
        ("stream", "yes"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(client: TestClient, name: str, value: Any) -> None:
    assert refused(client, **{name: value}) == ("invalid_value", name)


def test_options_of_a_stream_need_a_stream(client: TestClient) -> None:
    found = refused(client, stream_options={"include_usage": True})
    assert found == ("invalid_value", "stream_options")


def test_a_seed_makes_samples_repeatable(client: TestClient) -> None:
    one = texts(ask(client, temperature=1.5, seed=-7, n=4))
    assert texts(ask(client, temperature=1.5, seed=-7, n=4)) == one
    assert texts(ask(client, temperature=1.5, seed=(-7) % 2**63, n=4)) == one
    assert len(set(one)) > 1


def test_a_limit_ends_the_reply(client: TestClient) -> None:
    short = ask(client, max_tokens=2)
    assert short.choices[0].finish_reason == "length"
    assert short.usage.completion_tokens == 2
    assert ask(client, max_completion_tokens=3, max_tokens=9).usage.completion_tokens == 3
    assert ask(client, max_tokens=5000, ignore_eos=True).usage.completion_tokens == 200
    assert ask(client, max_tokens=100_000).choices[0].finish_reason == "stop"


def test_banned_words_do_not_come(client: TestClient) -> None:
    assert "sorry" in texts(ask(client))[0]
    assert not any("sorry" in text.lower() for text in texts(ask(client, n=5, bad_words=["sorry"])))


def test_a_stop_cuts_the_text(client: TestClient) -> None:
    whole = texts(ask(client))[0]
    found = ask(client, stop="so", n=2)
    assert texts(found)[0] == whole[: whole.index("so")]
    assert all("so" not in text for text in texts(found))
    assert found.choices[0].finish_reason == "stop"
    assert ask(client, max_tokens=3, stop=["sorry"]).choices[0].finish_reason == "stop"


def stream(client: TestClient, **fields: Any) -> list[ChatChunk]:
    answer = client.post(PATH, json={"messages": ASKED, "stream": True, **fields})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert events(answer.text)[-1] == ("", "[DONE]")
    return [msgspec.convert(each, ChatChunk) for each in documents(answer.text)]


def said(chunks: list[ChatChunk], index: int = 0) -> str:
    return "".join(
        choice.delta.content or ""
        for chunk in chunks
        for choice in chunk.choices
        if choice.index == index
    )


def test_a_stream_is_the_reply_in_pieces(client: TestClient) -> None:
    chunks, whole = stream(client), ask(client)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [said(chunks)] == texts(whole)
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert all(c.finish_reason is None for chunk in chunks[:-1] for c in chunk.choices)
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert chunks[-1].empgan == whole.empgan
    assert all(chunk.usage is msgspec.UNSET for chunk in chunks)


def test_a_stream_ends_with_the_usage_if_it_is_wanted(client: TestClient) -> None:
    *chunks, last = stream(client, stream_options={"include_usage": True})
    assert last.choices == []
    assert last.usage == ask(client).usage
    assert all(chunk.usage is None for chunk in chunks)
    quiet = stream(client, stream_options={"include_usage": False})
    assert all(chunk.usage is msgspec.UNSET for chunk in quiet)


def test_other_choices_come_whole_at_the_end_of_a_stream(client: TestClient) -> None:
    chunks, whole = stream(client, n=3), ask(client, n=3)
    assert [said(chunks, index) for index in range(3)] == texts(whole)
    finished = [c.index for chunk in chunks for c in chunk.choices if c.finish_reason]
    assert finished == [0, 1, 2]
    assert [c.index for chunk in chunks for c in chunk.choices] == sorted(
        c.index for chunk in chunks for c in chunk.choices
    )


@pytest.mark.parametrize("stop", ["so", "'m", "sorry. I'm so", "it?", "?!", ["?", "you"]])
def test_a_stop_cuts_a_stream_as_it_cuts_a_reply(client: TestClient, stop: Any) -> None:
    for fields in ({}, {"temperature": 0.5, "seed": 1}):
        chunks = stream(client, stop=stop, **fields)
        assert [said(chunks)] == texts(ask(client, stop=stop, **fields))


def test_what_is_refused_before_a_stream_has_a_status(client: TestClient) -> None:
    answer = client.post(PATH, json={"messages": [{"role": "user", "content": ""}], "stream": True})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")


def test_a_guard_answers_in_the_models_place(make_client: Any, guarded: AsyncResponder) -> None:
    client = make_client(guarded)
    asked = [{"role": "user", "content": "I don't want to live anymore."}]
    found = ask(client, asked)
    assert found.empgan.source == "guard"
    assert found.empgan.verdict is not None
    assert (found.empgan.verdict.action, found.empgan.verdict.category) == ("replace", "self_harm")
    assert found.usage.completion_tokens == 0
    assert found.usage.prompt_tokens > 0
    chunks = stream(client, messages=asked)
    assert [said(chunks)] == texts(found)
    assert chunks[-1].empgan == found.empgan
    assert ask(client).empgan.verdict is not None


def test_the_observer_is_told_of_each_request(client: TestClient, recorder: Recorder) -> None:
    whole = ask(client, n=2)
    chunks = stream(client, temperature=0.5, seed=1)
    assert recorder.accepted_ones == [(PATH, "default")] * 2
    one, other = recorder.finished_ones
    assert (one.finished_reason, one.prompt_tokens) == ("stop", whole.usage.prompt_tokens)
    assert one.generation_tokens == whole.usage.completion_tokens
    assert one.timings is not None
    assert 0 < one.timings.total_ms / 1e3 <= one.elapsed_s
    assert other.endpoint == PATH
    assert len(recorder.first_tokens) == 2
    assert len(recorder.token_counts) < len(chunks)
    assert sum(recorder.token_counts) < other.generation_tokens
    refused(client, tools=[1])
    assert recorder.refused_ones == [(PATH, 400, "unsupported_parameter")]
    assert len(recorder.finished_ones) == 2
