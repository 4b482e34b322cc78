"""The document of the API says what the handlers do: which paths, which bodies, which answers."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from empgan_rt._version import __version__
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.server.vocabulary import NOT_IN_WORDS
from support.event_streams import documents
from support.schema_samples import allowed, forbidden

GOOD = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "I lost my keys."}]},
    "/v1/responses": {"input": "I lost my keys."},
    "/v1/reply": {"turns": ["I lost my keys."]},
    "/v1/sessions/{key}": {"text": "I lost my keys."},
}
# What depends on other fields, or on what a dialogue is, and no schema can say.
BEYOND_SCHEMAS = {
    "messages": (
        "the last message must be the user's",
        "a turn without any word",
        "the model reads text alone",  # a part of type "text" without a text
    ),
    "input": (
        "the last message must be the user's",
        "a turn without any word",
        "the model reads text alone",
        "the roles are",
    ),
    "stream_options": ("only a stream has stream_options",),
    "model": ("there is no model",),
    "search": ("min_length is 200",),
}


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if "$ref" in value else set()
        return found.union(*(references(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(references(inner) for inner in value))
    return set()


def test_it_is_whole(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == __version__
    schemas = document["components"]["schemas"]
    assert {name.rpartition("/")[2] for name in references(document)} <= {*schemas}
    operations = [each for path in document["paths"].values() for each in path.values()]
    names = [each["operationId"] for each in operations]
    assert len(names) == len({*names})
    assert all(each["summary"].endswith(".") for each in operations)
    for each in schemas.values():
        assert each.get("description"), each["title"]


def test_it_names_every_path_and_no_other(client: TestClient, document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        there = path.replace("{key}", "nobody").replace("{model}", "default")
        for method in ("get", "post", "delete", "put", "patch"):
            answer = client.request(method, there, json={})
            assert (answer.status_code == 405) is (method not in operations), (method, path)
            if answer.status_code != 200:
                assert str(answer.status_code) in operations.get(method, {}).get("responses", "405")
            in_path = {p["name"] for p in operations.get(method, {}).get("parameters", [])}
            assert {*re.findall(r"{(\w+)}", path)} <= in_path or method not in operations


def test_keys_are_described_where_they_are_needed(make_client: Any) -> None:
    client = make_client(api_keys=("key",))
    document = client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            there = path.replace("{key}", "nobody").replace("{model}", "default")
            answer = client.request(method, there, json={})
            assert (answer.status_code == 401) is ("security" in operation), path
            assert ("401" in operation["responses"]) is ("security" in operation)
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


@pytest.mark.parametrize("path", GOOD)
def test_what_a_schema_allows_is_accepted(
    client: TestClient, document: dict[str, Any], path: str
) -> None:
    schema, components = body_schema(document, path)
    tried = 0
    for name, inner in schema["properties"].items():
        for value in allowed(inner, components):
            body = {**GOOD[path], name: value}
            answer = client.post(path.replace("{key}", "nobody"), json=body)
            tried += 1
            if answer.status_code != 200:
                message = answer.json()["error"]["message"]
                assert name in BEYOND_SCHEMAS, (body, message)
                assert any(known in message for known in BEYOND_SCHEMAS[name]), (body, message)
    assert tried > 10


@pytest.mark.parametrize("path", GOOD)
def test_what_a_schema_does_not_allow_is_refused(
    client: TestClient, document: dict[str, Any], path: str
) -> None:
    schema, components = body_schema(document, path)
    tried = 0
    for name, inner in schema["properties"].items():
        for value in forbidden(inner, components):
            body = {**GOOD[path], name: value}
            answer = client.post(path.replace("{key}", "nobody"), json=body)
            assert answer.status_code == 400, (name, value)
            assert (answer.json()["error"]["param"] or "").startswith(name)
            tried += 1
    for name in schema["required"]:
        without = {k: v for k, v in GOOD[path].items() if k != name}
        assert client.post(path.replace("{key}", "nobody"), json=without).status_code == 400
    assert tried > 10


@pytest.mark.parametrize("path", GOOD)
def test_answers_have_the_fields_that_the_document_names(
    client: TestClient, document: dict[str, Any], path: str
) -> None:
    operation = document["paths"][path]["post"]
    answers = operation["responses"]["200"]["content"]
    there = path.replace("{key}", "nobody")
    answer = client.post(there, json=GOOD[path]).json()
    schema = named(answers["application/json"]["schema"]["$ref"], document)
    assert {*schema["required"]} <= {*answer} <= {*schema["properties"]}
    data = answers["text/event-stream"]["schema"]["properties"]["data"]
    events = named(data["contentSchema"]["$ref"], document)
    streamed = client.post(there, json={**GOOD[path], "stream": True})
    for each in documents(streamed.text):
        assert {*events["required"]} <= {*each} <= {*events["properties"]}
    refused = client.post(there, json={}).json()
    assert {*named("ErrorBody", document)["required"]} == {*refused}


def body_schema(document: dict[str, Any], path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    content = document["paths"][path]["post"]["requestBody"]["content"]
    components = document["components"]["schemas"]
    return named(content["application/json"]["schema"]["$ref"], document), components


def named(reference: str, document: dict[str, Any]) -> dict[str, Any]:
    return document["components"]["schemas"][reference.rpartition("/")[2]]


def test_texts_without_a_word_are_those_that_the_document_says() -> None:
    words = Bundle.open("tiny").featurizer().tokenizer.words
    pattern = re.compile(f"[^{NOT_IN_WORDS}]")
    characters = [chr(i) for i in range(0x10000) if not 0xD800 <= i <= 0xDFFF]
    assert [c for c in characters if bool(words(c)) is not bool(pattern.search(c))] == []


def test_it_is_json_of_a_moderate_size(client: TestClient) -> None:
    raw = client.get("/openapi.json").content
    assert msgspec.json.decode(raw) == json.loads(raw)
    assert len(raw) < 100_000
