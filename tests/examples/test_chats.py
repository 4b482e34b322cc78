"""The programs of `examples` that talk with a server, as they are, with the real packages."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from empgan_rt import Emotion
from support.installed import need
from support.served import Served, serve, started, wait_until
from support.source_tree import ROOT

pytestmark = pytest.mark.slow
EXAMPLES = ROOT / "examples"
MAX_LINES = 60
MAX_LINES_ON_RAY = 85  # they have to say what is killed, and what becomes of it
EMOTIONS = {emotion.name.lower() for emotion in Emotion}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serve("tiny", "-q") as served:
        yield served


@pytest.fixture
def url(server: Served) -> str:
    return f"http://127.0.0.1:{server.port}/v1"


def said(program: list[str], *arguments: str, typed: str = "", folder: Path = EXAMPLES) -> str:
    """Return what an example prints."""
    done = subprocess.run(
        [*program, *arguments],
        cwd=folder,
        input=typed,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def python(name: str) -> list[str]:
    return [sys.executable, str(EXAMPLES / name)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def page(name: str, *arguments: str, port: int) -> Iterator[str]:
    """Run an example that serves a page while the block runs; yields its address."""
    with started(str(EXAMPLES / name), *arguments) as process:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or _answers(address))
        assert process.poll() is None, process.communicate()[1]
        yield address


def _answers(address: str) -> bool:
    try:
        urlopen(f"{address}/openapi.json").close()
    except HTTPError:  # Gradio may have no such page
        return True
    except URLError:
        return False
    return True


def reply_of(address: str, text: str) -> str:
    """Return what a server answers, asked without any client."""
    body = {"messages": [{"role": "user", "content": text}]}
    headers = {"content-type": "application/json"}
    request = Request(f"{address}/chat/completions", json.dumps(body).encode(), headers)
    with urlopen(request) as answer:
        return str(json.load(answer)["choices"][0]["message"]["content"])


def test_openai_client(url: str) -> None:
    need("openai")
    _check_openai(said(python("openai_client.py"), url), url)


def test_openai_client_in_javascript(url: str, tmp_path: Path) -> None:
    modules = Path(os.environ.get("EMPGAN_NODE_MODULES", "")) / "node_modules"
    node = shutil.which("node")
    if node is None or not (modules / "openai").is_dir():
        pytest.skip("could not find openai of npm")
    (tmp_path / "node_modules").symlink_to(modules.resolve())  # imports are looked for beside it
    shutil.copy(EXAMPLES / "openai_client.mjs", tmp_path)
    _check_openai(said([node, "openai_client.mjs"], url, folder=tmp_path), url)


def _check_openai(printed: str, url: str) -> None:
    lines = dict(line.split(": ", 1) for line in printed.splitlines())
    assert lines["reply"] == reply_of(url, "I lost my keys today.")
    assert lines["response"] == reply_of(url, "I passed my exam!")
    assert lines["another"] not in ("", lines["reply"])
    assert lines["heard"] in EMOTIONS
    assert lines["in pieces"]


def test_langchain_chat(url: str) -> None:
    need("langchain_openai")
    typed = "I lost my keys today.\nThey were in my coat!\n\n"
    printed = said(python("langchain_chat.py"), url, "tiny", typed=typed)
    first, second = (line.partition("model: ")[2] for line in printed.splitlines()[:2])
    assert first == reply_of(url, "I lost my keys today.")
    assert second


def test_litellm_chat(url: str) -> None:
    need("litellm")
    printed = said(python("litellm_chat.py"), url, "tiny")
    lines = dict(line.split(": ", 1) for line in printed.splitlines())
    assert lines["reply"] == lines["in pieces"] == reply_of(url, "My best friend moved away today.")
    assert int(lines["tokens"]) > 0
    assert "logprobs is not supported by this model" in lines["refused"]


def test_fastapi_mount() -> None:
    need("fastapi")
    port = free_port()
    with page("fastapi_mount.py", str(port), "tiny", port=port) as address:
        reply = reply_of(f"{address}/empathy/v1", "I lost my keys")
        with urlopen(f"{address}/feeling?text=I+lost+my+keys") as answer:
            told = json.load(answer)
        with urlopen(f"{address}/empathy/openapi.json") as answer:
            assert "/v1/chat/completions" in json.load(answer)["paths"]
    assert told["reply"] == reply
    assert told["emotion"]


def test_gradio_chat(url: str) -> None:
    need("gradio", "openai")
    port = free_port()
    with page("gradio_chat.py", url, str(port), port=port) as address:
        # A user who speaks twice: what is sent the second time has Gradio's own fields.
        program = (
            "import sys; from gradio_client import Client\n"
            "page = Client(sys.argv[1], verbose=False)\n"
            "for text in sys.argv[2:]: print(*page.predict(text, api_name='/answer'), sep='|')\n"
        )
        texts = ("I lost my keys today.", "They were in my coat!")
        printed = said([sys.executable, "-c", program], address, *texts)
    (reply, heard), (second, _) = (line.split("|") for line in printed.splitlines())
    assert reply == reply_of(url, texts[0])
    assert heard in EMOTIONS
    assert second


def test_each_is_short_and_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text("utf-8")
    for path in EXAMPLES.iterdir():
        if path.suffix in (".py", ".mjs"):
            assert path.read_text("utf-8").count("\n") <= MAX_LINES
            assert f"[{path.name}]({path.name})" in listed
    for path in (EXAMPLES / "on_ray").glob("*.py"):
        assert path.read_text("utf-8").count("\n") <= MAX_LINES_ON_RAY
        assert f"(on_ray/{path.name})" in listed
