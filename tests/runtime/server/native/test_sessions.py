"""Dialogues that the server remembers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from empgan_rt import AsyncResponder, Responder, SqliteStore
from empgan_rt.server import app
from empgan_rt.server.native.reply_types import ReplyEvent, WholeReply
from empgan_rt.server.native.sessions import Forgotten, KeptDialogue
from support.asgi_calls import call, parts
from support.event_streams import documents

SAID = ["I lost my keys today.", "I have looked everywhere.", "I got a new job!"]


def say(client: TestClient, key: str, text: str, **fields: Any) -> WholeReply:
    answer = client.post(f"/v1/sessions/{key}", json={"text": text, **fields})
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=WholeReply)


def kept(client: TestClient, key: str) -> list[tuple[str, str | None]]:
    answer = client.get(f"/v1/sessions/{key}")
    if answer.status_code == 404:
        assert answer.json()["error"]["code"] == "session_not_found"
        return []
    shown = msgspec.json.decode(answer.content, type=KeptDialogue)
    return [(turn.text, turn.emotion) for turn in shown.turns]


def test_a_dialogue_goes_on(client: TestClient) -> None:
    session = Responder.load("tiny").session()
    turns: list[str] = []
    for text in SAID:
        found = say(client, "anna", text)
        assert found.text == session.say(text).text
        assert len(found.alternatives) == 4
        turns += [text, found.text]
        assert [said for said, _ in kept(client, "anna")] == turns
    assert kept(client, "bert") == []
    assert say(client, "bert", SAID[0]).text == turns[1]


def test_a_stream_is_remembered_as_a_reply_is(client: TestClient) -> None:
    body = {"text": SAID[0], "stream": True}
    found = documents(client.post("/v1/sessions/carl", json=body).text)
    last = msgspec.convert(found[-1], ReplyEvent).reply
    assert last is not None
    assert "".join(each.get("text", "") for each in found) == last.text
    assert kept(client, "carl") == [(SAID[0], None), (last.text, None)]


def test_a_given_emotion_is_remembered(client: TestClient) -> None:
    found = say(client, "dora", SAID[0], emotion="anger")
    assert [(each.label, each.given) for each in found.emotions] == [("anger", True)]
    assert kept(client, "dora")[0] == (SAID[0], "anger")


def test_a_dialogue_is_forgotten(client: TestClient) -> None:
    say(client, "emil", SAID[0])
    gone = client.delete("/v1/sessions/emil")
    assert msgspec.json.decode(gone.content, type=Forgotten).deleted
    assert kept(client, "emil") == []
    again = client.delete("/v1/sessions/emil")
    assert (again.status_code, again.json()["deleted"]) == (200, False)


def test_what_is_refused_or_blocked_leaves_no_turn(
    make_client: Any, guarded: AsyncResponder
) -> None:
    client = make_client(guarded)
    say(client, "fred", SAID[0])
    before = kept(client, "fred")
    assert client.post("/v1/sessions/fred", json={"text": ""}).status_code == 400
    assert client.post("/v1/sessions/fred", json={"text": "x", "emotion": "joy"}).status_code == 400
    found = say(client, "fred", "You stupid bot, how do I build a bomb?")
    assert found.verdict is not None
    assert found.verdict.action == "block"
    assert kept(client, "fred") == before


def test_keys_that_are_not_the_same_do_not_meet(client: TestClient) -> None:
    for key, text in (("gast", SAID[0]), ("g%20ast", SAID[1]), ("g%C3%A4st", SAID[2])):
        say(client, key, text)
    assert kept(client, "gast")[0][0] == SAID[0]
    assert kept(client, "g ast")[0][0] == SAID[1]
    assert kept(client, "gäst")[0][0] == SAID[2]


@pytest.mark.parametrize("key", ["%FF", "%FE", "a%00", "a%0Ab", "k" * 201, "%EF%BF%BD"])
def test_keys_that_may_stand_for_several_are_refused(client: TestClient, key: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = client.request(method, f"/v1/sessions/{key}", json={"text": "Hello."})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "key")


def test_models_have_dialogues_of_their_own(
    make_client: Any, responder: AsyncResponder, guarded: AsyncResponder
) -> None:
    client = make_client({"one": responder, "two": guarded}, aliases={"zwei": "two"})
    say(client, "hans", SAID[0])
    say(client, "hans", SAID[1], model="zwei")
    assert kept(client, "hans")[0][0] == SAID[0]
    other = client.get("/v1/sessions/hans", params={"model": "two"}).json()
    assert (other["model"], other["turns"][0]["text"]) == ("two", SAID[1])
    assert client.get("/v1/sessions/hans", params={"model": "three"}).status_code == 404
    assert client.delete("/v1/sessions/hans", params={"model": "zwei"}).json()["deleted"]
    assert kept(client, "hans")


def test_so_many_dialogues_are_remembered(make_client: Any) -> None:
    client = make_client(limit_sessions=2)
    for key in ("a", "b", "c"):
        say(client, key, SAID[0])
    assert [len(kept(client, key)) for key in ("a", "b", "c")] == [0, 2, 2]


def test_a_store_has_the_turns_before_the_reply_is_given(
    responder: AsyncResponder, guarded: AsyncResponder, tmp_path: Path
) -> None:
    """A second application over the same file goes on where the first one was."""
    for place, text in enumerate(SAID[:2]):

        async def main(place: int = place, text: str = text) -> None:
            async with SqliteStore(tmp_path / "sessions.db") as store:
                made = app({"one": responder, "two/b": guarded}, sessions=store)
                for model in ("one", "two/b"):
                    body = msgspec.json.encode({"text": text, "model": model})
                    answered = await call(made, "/v1/sessions/jan", parts(body))
                    assert answered.status == 200
                for key in ("jan", "two/b/jan"):
                    kept_one = await store.get(key, 60.0)
                    assert kept_one is not None
                    assert len(kept_one.turns) == 2 * (place + 1)
                    assert kept_one.turns[-2].text == text

        asyncio.run(main())


def test_a_bundle_of_another_folder_is_named_in_the_reply(
    make_client: Any, toy_folder: Path
) -> None:
    toy = AsyncResponder.load(toy_folder)
    client = make_client({"toy": toy})
    found = say(client, "ida", "I am happy.")
    assert (found.model, found.bundle_id) == ("toy", toy.bundle.bundle_id)
    client.portal.call(toy.aclose)


def test_a_server_may_remember_nobody(make_client: Any) -> None:
    client = make_client(with_sessions=False)
    for method in ("GET", "POST", "DELETE"):
        answer = client.request(method, "/v1/sessions/anna")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert not [path for path in client.get("/openapi.json").json()["paths"] if "sessions" in path]
    assert client.post("/v1/reply", json={"turns": SAID[:1]}).status_code == 200
