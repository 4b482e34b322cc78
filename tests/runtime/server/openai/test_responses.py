"""Responses, whole and in pieces."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from empgan_rt import AsyncResponder
from empgan_rt.server.openai.response_types import Response, ResponseEvent
from support.event_streams import documents, events

PATH = "/v1/responses"
SAID = "I lost my keys today."
DIALOGUE = [
    {"role": "user", "content": "I have some good news."},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Oh?"}]},
    {"role": "user", "content": [{"type": "input_text", "text": "I got a new job!"}]},
]


def ask(client: TestClient, wanted: Any = SAID, **fields: Any) -> Response:
    answer = client.post(PATH, json={"input": wanted, **fields})
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=Response)


def text(response: Response) -> str:
    [item] = response.output
    [part] = item.content
    return part.text


def refused(client: TestClient, **fields: Any) -> tuple[str, str | None]:
    answer = client.post(PATH, json={"input": SAID, **fields})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    return error["code"], error["param"]


def in_chat(client: TestClient, messages: Any, **fields: Any) -> str:
    answer = client.post("/v1/chat/completions", json={"messages": messages, **fields})
    return str(answer.json()["choices"][0]["message"]["content"])


def test_a_message_is_answered_as_in_a_chat(client: TestClient) -> None:
    found = ask(client)
    assert text(found) == in_chat(client, [{"role": "user", "content": SAID}])
    assert (found.status, found.output[0].status) == ("completed", "completed")
    assert found.usage is not None
    assert found.usage.total_tokens == found.usage.input_tokens + found.usage.output_tokens
    assert isinstance(found.empgan, msgspec.Struct)


def test_a_dialogue_is_answered_as_in_a_chat(client: TestClient) -> None:
    plain = [
        {"role": "user", "content": "I have some good news."},
        {"role": "assistant", "content": "Oh?"},
        {"role": "user", "content": "I got a new job!"},
    ]
    assert text(ask(client, DIALOGUE)) == in_chat(client, plain)


def test_instructions_have_no_effect_and_that_is_told(client: TestClient) -> None:
    answer = client.post(PATH, json={"input": SAID, "instructions": "Be rude."})
    assert answer.headers["x-empgan-ignored"] == "system"
    system = [{"role": "system", "content": "Be rude."}, {"role": "user", "content": SAID}]
    assert client.post(PATH, json={"input": system}).headers["x-empgan-ignored"] == "system"
    assert "x-empgan-ignored" not in client.post(PATH, json={"input": SAID}).headers
    assert msgspec.json.decode(answer.content, type=Response).output[0].content == (
        ask(client).output[0].content
    )


def test_a_reply_is_incomplete_only_by_the_clients_own_limit(client: TestClient) -> None:
    short = ask(client, max_output_tokens=2)
    assert (short.status, short.output[0].status) == ("incomplete", "incomplete")
    assert short.incomplete_details is not None
    assert short.incomplete_details.reason == "max_output_tokens"
    whole = ask(client, ignore_eos=True)
    assert whole.usage is not None
    assert (whole.status, whole.usage.output_tokens) == ("completed", 30)
    assert ask(client, max_output_tokens=2, stop=["sorry", "I"]).status == "completed"


@pytest.mark.parametrize(
    ("name", "value", "param"),
    [
        ("tools", [{"type": "web_search"}], "tools"),
        ("tool_choice", "required", "tool_choice"),
        ("previous_response_id", "resp_1", "previous_response_id"),
        ("conversation", "conv_1", "conversation"),
        ("background", True, "background"),
        ("prompt", {"id": "pmpt_1"}, "prompt"),
        ("top_logprobs", 5, "top_logprobs"),
        ("text", {"format": {"type": "json_schema", "schema": {}}}, "text.format"),
    ],
)
def test_what_the_model_cannot_do_is_refused_by_name(
    client: TestClient, name: str, value: Any, param: str
) -> None:
    assert refused(client, **{name: value}) == ("unsupported_parameter", param)


def test_what_asks_for_nothing_is_accepted(client: TestClient) -> None:
    neutral = {
        "tools": [],
        "tool_choice": "auto",
        "background": False,
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low"},
        "metadata": {"a": "b"},
        "store": False,
        "truncation": "disabled",
        "previous_response_id": None,
    }
    assert text(ask(client, **neutral)) == text(ask(client))


@pytest.mark.parametrize(
    ("wanted", "code", "param"),
    [
        ([{"type": "function_call_output", "output": "1"}], "unsupported_content", "input[0]"),
        ([{"type": "item_reference", "id": "x"}], "unsupported_content", "input[0]"),
        ([{"content": "x"}], "unsupported_role", "input[0].role"),
        ([{"role": "user", "content": [{"type": "input_image"}]}], "unsupported_content", None),
        ([{"role": "assistant", "content": "x"}], "invalid_value", "input"),
        ([], "invalid_value", "input"),
        ("", "invalid_value", None),
        (None, "invalid_value", "input"),
    ],
)
def test_input_that_cannot_be_read_is_refused(
    client: TestClient, wanted: Any, code: str, param: str | None
) -> None:
    found, where = refused(client, input=wanted)
    assert found == code
    assert param is None or where == param


def stream(client: TestClient, **fields: Any) -> list[ResponseEvent]:
    answer = client.post(PATH, json={"input": SAID, "stream": True, **fields})
    assert answer.status_code == 200, answer.text
    found = [msgspec.convert(each, ResponseEvent) for each in documents(answer.text)]
    assert [name for name, _ in events(answer.text)] == [each.type for each in found]
    return found


def test_a_stream_is_the_reply_in_pieces(client: TestClient) -> None:
    found = stream(client, temperature=0.5, seed=1)
    kinds = [each.type.removeprefix("response.") for each in found]
    deltas = kinds.count("output_text.delta")
    assert deltas >= 1  # how many depends on how fast they are fetched
    assert kinds == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * deltas,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [each.sequence_number for each in found] == [*range(len(found))]
    whole = text(ask(client, temperature=0.5, seed=1))
    assert "".join(each.delta or "" for each in found) == whole
    assert found[4 + deltas].text == whole
    last = found[-1].response
    assert last is not None
    assert text(last) == whole
    assert len({each.item_id for each in found if each.item_id}) == 1
    assert found[0].response is not None
    assert (found[0].response.id, found[0].response.status) == (last.id, "in_progress")


def test_a_stream_ends_incomplete_by_the_clients_own_limit(client: TestClient) -> None:
    assert stream(client, max_output_tokens=2)[-1].type == "response.incomplete"
    assert stream(client, ignore_eos=True)[-1].type == "response.completed"


def test_a_stop_cuts_a_stream(client: TestClient) -> None:
    found = stream(client, stop="so")
    assert "".join(each.delta or "" for each in found) == text(ask(client, stop="so"))


def test_a_guard_answers_in_the_models_place(make_client: Any, guarded: AsyncResponder) -> None:
    client = make_client(guarded)
    found = ask(client, "I don't want to live anymore.")
    assert isinstance(found.empgan, msgspec.Struct)
    assert found.empgan.source == "guard"
    last = stream(client, input="I don't want to live anymore.")[-1].response
    assert last is not None
    assert text(last) == text(found)
