"""The application over the embedded model `tiny`, and a client of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.testclient import TestClient

from empgan_rt import AsyncResponder, WordGuard
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.server import ServerSettings, app
from support.observing import Recorder

MakeClient = Callable[..., TestClient]


@pytest.fixture(scope="module")
def tiny_bundle() -> Bundle:
    return Bundle.open("tiny")


@pytest.fixture(scope="module")
def responder() -> Iterator[AsyncResponder]:
    made = AsyncResponder.load("tiny")
    yield made
    asyncio.run(made.aclose())


@pytest.fixture(scope="module")
def guarded() -> Iterator[AsyncResponder]:
    made = AsyncResponder.load("tiny", guard=WordGuard())
    yield made
    asyncio.run(made.aclose())


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def make_client(responder: AsyncResponder, recorder: Recorder) -> Iterator[MakeClient]:
    """Makes a client of an application with some settings, of another responder if given."""
    with ExitStack() as stack:

        def make(responders: Any = None, **settings: Any) -> TestClient:
            made = app(
                responder if responders is None else responders,
                settings=ServerSettings(**settings),
                observer=recorder,
            )
            return stack.enter_context(TestClient(made))

        yield make


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()
