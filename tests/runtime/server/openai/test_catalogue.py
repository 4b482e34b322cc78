"""The list of models, and requests that name one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from empgan_rt import AsyncResponder, InputError
from empgan_rt.server import ServerSettings, app
from empgan_rt.server.openai.catalogue import ModelEntry, ModelList

ASKED = {"messages": [{"role": "user", "content": "I lost my keys."}]}


@pytest.fixture
def toy(toy_folder: Path) -> Iterator[AsyncResponder]:
    import asyncio

    made = AsyncResponder.load(toy_folder)
    yield made
    asyncio.run(made.aclose())


def test_several_models_and_their_other_names(
    make_client: Any, responder: AsyncResponder, toy: AsyncResponder
) -> None:
    client = make_client({"tiny": responder, "my/toy": toy}, aliases={"gpt-4o": "my/toy"})
    listed = msgspec.json.decode(client.get("/v1/models").content, type=ModelList)
    assert [(each.id, each.root) for each in listed.data] == [
        ("tiny", "tiny"),
        ("my/toy", "my/toy"),
        ("gpt-4o", "my/toy"),
    ]
    shown = msgspec.json.decode(client.get("/v1/models/my/toy").content, type=ModelEntry)
    assert shown == listed.data[1]
    assert client.get("/v1/models/gpt-4o").json()["bundle_id"] == toy.bundle.bundle_id
    for name, own in (("tiny", "tiny"), ("my/toy", "my/toy"), ("gpt-4o", "my/toy")):
        answer = client.post("/v1/chat/completions", json={**ASKED, "model": name})
        bundle_id = (toy if own == "my/toy" else responder).bundle.bundle_id
        assert answer.json()["model"] == own
        assert answer.json()["system_fingerprint"] == bundle_id
    assert client.post("/v1/chat/completions", json=ASKED).json()["model"] == "tiny"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/reply"])
def test_a_model_that_there_is_not(client: Any, path: str) -> None:
    body = {**ASKED, "input": "Hello.", "turns": ["Hello."], "model": "gpt-5"}
    answer = client.post(path, json=body)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "gpt-5" in error["message"]
    assert client.get("/v1/models/gpt-5").status_code == 404


@pytest.mark.parametrize(
    ("names", "aliases"),
    [
        ([], {}),
        ([""], {}),
        (["a\nb"], {}),
        (["x" * 201], {}),
        (["a"], {"b": "c"}),
        (["a", "b"], {"a": "b"}),
        (["a"], {"": "a"}),
    ],
)
def test_names_that_cannot_be_told_apart(
    responder: AsyncResponder, names: list[str], aliases: dict[str, str]
) -> None:
    with pytest.raises(InputError):
        app(dict.fromkeys(names, responder), settings=ServerSettings(aliases=aliases))
