"""LangChain's package for OpenAI."""

from __future__ import annotations

from functools import partial

from langchain_openai import ChatOpenAI
from probe import AT_ONCE, LONG, PATIENCE, errand, raised, tell

given = errand()
opened = partial(ChatOpenAI, base_url=f"{given.url}/v1", api_key=given.key, model=given.model)
TURNS = [("system", "Be kind."), ("human", given.said)]


def chat() -> str:
    return given.same(opened().invoke(TURNS).text)


def chat_stream() -> str:
    return given.joined(piece.text for piece in opened().stream(TURNS))


def response() -> str:
    return given.same(opened(use_responses_api=True).invoke(TURNS).text)


def response_stream() -> str:
    return given.joined(piece.text for piece in opened(use_responses_api=True).stream(TURNS))


def retries() -> str:
    busy = opened(
        base_url=f"{given.busy_url}/v1", model=given.busy_model, max_retries=PATIENCE, **LONG
    )
    return given.patience(lambda: busy.invoke(TURNS).text)


def errors() -> str:
    told = [
        raised(lambda: opened(logprobs=True).invoke(TURNS), 400),
        raised(lambda: opened(api_key="another-key").invoke(TURNS), 401),
        raised(lambda: opened(model="gpt-5").invoke(TURNS), 404),
    ]
    return ", ".join(told)


def deadline() -> str:
    return given.asked_once(lambda: opened(default_headers=AT_ONCE).invoke(TURNS))


def timeout() -> str:
    return raised(lambda: opened(timeout=0.001, max_retries=0, **LONG).invoke(TURNS))


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
