"""OpenAI's own client of Python, as it is, against a server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

openai = pytest.importorskip("openai")

from empgan_rt import AsyncResponder
from empgan_rt.server import ServerSettings, app
from support.loopback import served
from support.observing import Recorder

pytestmark = pytest.mark.slow
KEY = "a-key-of-the-tests"
SAID = "I lost my keys today."
ASKED = [{"role": "user", "content": SAID}]


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def url(recorder: Recorder) -> Iterator[str]:
    responder = AsyncResponder.load("tiny", max_batch=1, max_queue=0)
    settings = ServerSettings(api_keys=(KEY,), aliases={"gpt-4o": "default"})
    with served(app(responder, settings=settings, observer=recorder)) as (host, port):
        yield f"http://{host}:{port}/v1"
    asyncio.run(responder.aclose())


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    with openai.OpenAI(base_url=url, api_key=KEY, max_retries=2) as made:
        yield made


def test_a_chat(client: Any) -> None:
    found = client.chat.completions.create(model="gpt-4o", messages=ASKED, n=2, user="somebody")
    best, other = found.choices
    assert best.message.content
    assert other.message.content
    assert best.finish_reason == "stop"
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    assert found.empgan["emotions"][0]["label"]


def test_a_chat_in_pieces(client: Any) -> None:
    whole = client.chat.completions.create(model="default", messages=ASKED)
    stream = client.chat.completions.create(
        model="default", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    chunks = [*stream]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    with client.chat.completions.stream(model="default", messages=ASKED) as helper:
        assert helper.get_final_completion().choices[0].message.content == text


def test_a_response(client: Any) -> None:
    found = client.responses.create(model="default", input=SAID, instructions="Be kind.")
    assert (found.status, found.error) == ("completed", None)
    assert found.output_text
    assert found.usage.total_tokens > 0
    raw = client.responses.with_raw_response.create(model="default", input=ASKED, instructions="x")
    assert raw.headers["x-empgan-ignored"] == "system"
    assert raw.parse().output_text == found.output_text


def test_a_response_in_pieces(client: Any) -> None:
    whole = client.responses.create(model="default", input=SAID).output_text
    events = [*client.responses.create(model="default", input=SAID, stream=True)]
    assert events[-1].type == "response.completed"
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole
    with client.responses.stream(model="default", input=SAID) as helper:
        assert helper.get_final_response().output_text == whole


def test_models(client: Any) -> None:
    assert [model.id for model in client.models.list()] == ["default", "gpt-4o"]
    assert client.models.retrieve("gpt-4o").root == "default"


def test_errors_are_the_clients_own(client: Any, url: str) -> None:
    create = client.chat.completions.create
    with pytest.raises(openai.NotFoundError) as missing:
        create(model="gpt-5", messages=ASKED)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as refused:
        create(model="default", messages=ASKED, logprobs=True)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "logprobs")
    assert refused.value.request_id
    with (
        openai.OpenAI(base_url=url, api_key="wrong") as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_a_deadline_is_not_asked_for_again(client: Any, recorder: Recorder) -> None:
    before = len(recorder.refused_ones)
    with pytest.raises(openai.InternalServerError) as late:
        client.chat.completions.create(
            model="default",
            messages=ASKED,
            max_tokens=200,
            extra_body={"ignore_eos": True},
            extra_headers={"x-request-timeout": "0.000001"},
        )
    assert late.value.status_code == 504
    assert len(recorder.refused_ones) == before + 1


def test_what_is_refused_for_now_is_asked_for_again(url: str, recorder: Recorder) -> None:
    """One reply at a time and nobody waits: all are answered because the client asks again."""

    async def main() -> None:
        async with openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=8) as client:
            long = {"max_tokens": 60, "extra_body": {"ignore_eos": True}}
            asked = [
                client.chat.completions.create(model="default", messages=ASKED, **long)
                for _ in range(3)
            ]
            assert all(each.choices for each in await asyncio.gather(*asked))

    asyncio.run(main())
    assert any(status == 429 for _, status, _ in recorder.refused_ones)


def test_a_stream_that_fails_in_the_middle_raises(client: Any) -> None:
    for create, body in (
        (client.chat.completions.create, {"messages": ASKED, "max_tokens": 200}),
        (client.responses.create, {"input": SAID, "max_output_tokens": 200}),
    ):
        with pytest.raises(openai.APIError):
            for _ in create(
                model="default",
                stream=True,
                extra_body={"ignore_eos": True, "temperature": 1.0},
                extra_headers={"x-request-timeout": "0.03"},
                **body,
            ):
                pass
