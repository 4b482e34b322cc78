"""Which names a server without keys answers to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from empgan_rt.server.local_names import LocalNames, is_of_this_machine

OURS = """127.0.0.1:8000 127.0.0.1 [::1]:8000 [::1] localhost LOCALHOST:80 empgan a.localhost:8000
localhost. 192.168.0.7:1 :8000"""
OTHERS = """evil.example
evil.example:8000 localhost.evil.example 127.0.0.1.evil.example evil.example.
[::1].evil.example notlocalhost.x 127.0.0.1:80.evil.example ::1"""


@pytest.mark.parametrize("host", ["", *OURS.split()])
def test_names_of_this_machine(host: str) -> None:
    assert is_of_this_machine(host)


@pytest.mark.parametrize("host", OTHERS.split())
def test_names_of_strangers(host: str) -> None:
    assert not is_of_this_machine(host)


@pytest.mark.parametrize(
    ("hosts", "status"),
    [([], 200), (["localhost"], 200), (["evil.example"], 403), (["localhost", "a.b"], 403)],
)
def test_strangers_are_refused(hosts: list[str], status: int) -> None:
    sent: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [(b"host", host.encode()) for host in hosts]}
    receive: Any = None
    asyncio.run(LocalNames(inner)(scope, receive, send))
    assert sent[0]["status"] == status
    if status == 403:
        assert json.loads(sent[1]["body"])["error"]["code"] == "unknown_host"
