"""LiteLLM."""

from __future__ import annotations

import os
from functools import partial

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches a table of prices

import litellm
from probe import AT_ONCE, LONG, PATIENCE, errand, raised, tell

given = errand()
litellm.suppress_debug_info = True
place = {"api_base": f"{given.url}/v1", "api_key": given.key, "model": f"openai/{given.model}"}
create = partial(litellm.completion, messages=given.messages, **place)
respond = partial(litellm.responses, input=given.said, instructions="Be kind.", **place)


def chat() -> str:
    return given.same(create().choices[0].message.content)


def chat_stream() -> str:
    return given.joined(chunk.choices[0].delta.content for chunk in create(stream=True))


def response() -> str:
    return given.same(respond().output_text)


def response_stream() -> str:
    events = [*respond(stream=True)]
    return given.joined(e.delta for e in events if e.type == "response.output_text.delta")


def retries() -> str:
    busy = {"api_base": f"{given.busy_url}/v1", "model": f"openai/{given.busy_model}"}
    return given.patience(
        lambda: create(**busy, max_retries=PATIENCE, **LONG).choices[0].message.content
    )


def errors() -> str:
    told = [
        raised(lambda: create(logprobs=True), 400),
        raised(lambda: create(api_key="another-key"), 401),
        raised(lambda: create(model="openai/gpt-5"), 404),
    ]
    return ", ".join(told)


def deadline() -> str:
    return given.asked_once(lambda: create(extra_headers=AT_ONCE))


def timeout() -> str:
    return raised(lambda: create(timeout=0.001, max_retries=0, **LONG))


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
