"""Schemathesis makes requests of the document, good ones and bad ones, and looks at the answers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("schemathesis")

from empgan_rt import AsyncResponder
from empgan_rt.server import app
from support.loopback import served
from support.observing import Recorder

pytestmark = pytest.mark.slow
FIXED = ("--max-examples", "60", "--no-color", "--generation-deterministic")
# A limit of 1e-300 s has its 504, and two things no schema says of messages: the last is the
# user's, and it has a word.
SETTINGS = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", "504"]

[[operations]]
include-path = ["/v1/chat/completions", "/v1/responses"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "504"]
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    responder = AsyncResponder.load("tiny")
    with served(app(responder, observer=Recorder())) as (host, port):
        yield f"http://{host}:{port}/openapi.json"
    asyncio.run(responder.aclose())


@pytest.mark.timeout(900)
def test_no_check_fails(url: str, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(SETTINGS)
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    done = subprocess.run(
        [*program, url, *FIXED],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " 11 total" in done.stdout
