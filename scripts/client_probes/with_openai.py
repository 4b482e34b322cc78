"""OpenAI's own client of Python."""

from __future__ import annotations

from functools import partial
from typing import Any

import openai
from probe import AT_ONCE, LONG, PATIENCE, errand, expect, raised, tell

given = errand()
client = openai.OpenAI(base_url=f"{given.url}/v1", api_key=given.key)
busy = openai.OpenAI(base_url=f"{given.busy_url}/v1", api_key=given.key, max_retries=PATIENCE)
create = partial(client.chat.completions.create, model=given.model, messages=given.messages)
respond = partial(client.responses.create, model=given.model, input=given.said, instructions="x")


def chat() -> str:
    return given.same(create().choices[0].message.content)


def chat_stream() -> str:
    chunks = [*create(stream=True, stream_options={"include_usage": True})]
    expect(chunks[-1].usage.total_tokens > 0, True)
    with client.chat.completions.stream(model=given.model, messages=given.messages) as stream:
        given.same(stream.get_final_completion().choices[0].message.content)
    return given.joined(chunk.choices[0].delta.content for chunk in chunks if chunk.choices)


def response() -> str:
    found = respond()
    expect(found.status, "completed")
    return given.same(found.output_text)


def response_stream() -> str:
    with client.responses.stream(model=given.model, input=given.said) as stream:
        given.same(stream.get_final_response().output_text)
    events = [*respond(stream=True)]
    expect(events[-1].type, "response.completed")
    return given.joined(e.delta for e in events if e.type == "response.output_text.delta")


def retries() -> str:
    def ask() -> Any:
        long = busy.chat.completions.create(model=given.busy_model, messages=given.messages, **LONG)
        return long.choices[0].message.content

    return given.patience(ask)


def errors() -> str:
    stranger = client.with_options(api_key="another-key")
    told = [
        raised(lambda: create(logprobs=True), 400),
        raised(stranger.models.list, 401),
        raised(lambda: create(model="gpt-5"), 404),
    ]
    return ", ".join(told)


def deadline() -> str:
    return given.asked_once(lambda: create(extra_headers=AT_ONCE))


def timeout() -> str:
    return raised(lambda: create(timeout=0.001, **LONG))


tell(
    chat=chat,
    chat_stream=chat_stream,
    response=response,
    response_stream=response_stream,
    retries=retries,
    errors=errors,
    deadline=deadline,
    timeout=timeout,
)
