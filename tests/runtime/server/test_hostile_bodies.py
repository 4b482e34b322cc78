"""Whatever is sent, it is answered, or what is wrong with it is told: no 5xx, and no 422."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from empgan_rt import AsyncResponder
from empgan_rt.server import app
from support.hostile_bodies import GOOD, places, spoilt

PATHS = st.sampled_from([*GOOD])
TEXT = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="\x00\u200b\u202e\ufeff\U0001f600a ́'.,!\u2028", max_size=20),
    st.sampled_from(["", " ", "I am sad.", "a" * 30_000, "\n" * 100, "'" * 500]),
)
NUMBERS = st.one_of(
    st.integers(),
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30, 10**400]),
    st.floats(allow_nan=False, allow_infinity=False),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
USUAL = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
COUNTS = [150, pytest.param(6000, marks=pytest.mark.soak)]


@pytest.fixture(scope="module")
def hostile_client() -> Iterator[TestClient]:
    responder = AsyncResponder.load("tiny")
    with TestClient(app(responder)) as client:
        yield client
        assert client.portal is not None
        client.portal.call(responder.aclose)


def check(client: TestClient, path: str, body: bytes) -> int:
    """Return the status of an answer that may be."""
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400, 404), (answer.status_code, answer.text)
    if answer.status_code != 200:
        error = answer.json()["error"]
        assert {*error} == {"message", "type", "param", "code"}
        assert error["message"]
    elif b'"error"' in answer.content:
        assert b'"error":null' in answer.content  # a response without one
    return answer.status_code


def written(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("path", GOOD)
def test_the_bodies_that_are_spoilt_are_good(hostile_client: TestClient, path: str) -> None:
    assert check(hostile_client, path, written(GOOD[path])) == 200


@pytest.mark.parametrize("count", COUNTS)
def test_a_value_of_another_kind(hostile_client: TestClient, count: int) -> None:
    @settings(USUAL, max_examples=count)
    @given(PATHS, st.data())
    def is_answered(path: str, data: st.DataObject) -> None:
        document = GOOD[path]
        for _ in range(data.draw(st.integers(1, 3))):
            way = data.draw(st.sampled_from(places(document)))
            document = spoilt(document, way, data.draw(VALUES))
            if not isinstance(document, dict):
                break
        check(hostile_client, path, written(document))

    is_answered()


@pytest.mark.parametrize("count", COUNTS)
def test_a_body_that_ends_too_early_or_has_bytes_changed(
    hostile_client: TestClient, count: int
) -> None:
    @settings(USUAL, max_examples=count)
    @given(PATHS, st.data())
    def is_answered(path: str, data: st.DataObject) -> None:
        body = bytearray(json.dumps(GOOD[path]).encode())
        for _ in range(data.draw(st.integers(0, 4))):
            place = data.draw(st.integers(0, len(body) - 1))
            body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        end = data.draw(st.integers(0, len(body)) | st.just(len(body)))
        check(hostile_client, path, bytes(body[:end]))

    is_answered()


@pytest.mark.parametrize("count", COUNTS)
def test_anything_at_all(hostile_client: TestClient, count: int) -> None:
    @settings(USUAL, max_examples=count)
    @given(PATHS, st.one_of(st.binary(max_size=200), VALUES.map(written)))
    def is_answered(path: str, body: bytes) -> None:
        check(hostile_client, path, body)

    is_answered()


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":[', b'"', b"-", b"1", b'{"turns":['])
def test_nested_and_long(hostile_client: TestClient, path: str, opening: bytes) -> None:
    for count in (2, 500, 1100, 50_000):
        assert check(hostile_client, path, opening * count) == 400
        inside = json.dumps(GOOD[path]).encode()[:-1] + b', "more": ' + opening * count + b"}"
        assert check(hostile_client, path, inside) in (200, 400)


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("text", ["\\ud800", "\\udfff\\ud800", "\\ud83d", "\\u0000", "\\uFFFE"])
def test_lone_surrogates(hostile_client: TestClient, path: str, text: str) -> None:
    for said in ("Hello.", "I lost my keys.", "anger", "sadness", "Be kind."):
        body = json.dumps(GOOD[path]).replace(said, f"{said}{text}")
        check(hostile_client, path, body.encode())


@pytest.mark.parametrize("path", GOOD)
def test_a_field_that_comes_twice(hostile_client: TestClient, path: str) -> None:
    body = json.dumps(GOOD[path])[:-1]
    for name in GOOD[path]:
        for value in ("null", "3", '"x"', "[]"):
            check(hostile_client, path, f'{body}, "{name}": {value}}}'.encode())
