"""Settings of a server from options and a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.errors import InputError
from empgan_rt.server.metrics import Metrics
from empgan_rt.server.serving import Serving, read_keys, read_serving
from support.pages import blocks
from support.source_tree import ROOT

FILE = """
bundles = ["default", "models/tiny"]
host = "0.0.0.0"
port = 8080
workers = 4
no_auth = true
shutdown_delay_s = 5

[aliases]
gpt-4o-mini = "tiny"
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "serve.toml"
    path.write_text(FILE)
    return str(path)


def test_without_a_file_the_defaults_hold() -> None:
    assert read_serving(None, {"bundles": None, "port": None}) == Serving()
    assert (Serving().host, Serving().guard, Serving().workers) == ("127.0.0.1", True, 1)


def test_a_file_is_read_and_options_go_first(file: str) -> None:
    serving = read_serving(file, {"port": 9000, "workers": None, "aliases": None})
    assert serving == Serving(
        bundles=("default", "models/tiny"),
        host="0.0.0.0",
        port=9000,
        workers=4,
        no_auth=True,
        shutdown_delay_s=5.0,
        aliases={"gpt-4o-mini": "tiny"},
    )
    assert serving.names == ["default", "tiny"]
    assert serving.settings().aliases == {"gpt-4o-mini": "tiny"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"porte": 1}, "unknown field `porte`"),
        ({"port": "8000"}, r"Expected `int`, got `str` - at `\$.port`"),
        ({"workers": 0}, "workers is 0"),
        ({"workers": 1000}, "workers is 1000"),
        ({"max_queue": -1}, "max_queue is -1"),
        ({"shutdown_delay_s": -1.0}, "shutdown_delay_s is -1"),
        ({"shutdown_delay_s": float("inf")}, "shutdown_delay_s is inf"),
        ({"guard": False, "guard_words": "mine.toml"}, "without a guard"),
        ({"api_key_file": "keys", "no_auth": True}, "api_key_file with no_auth"),
        ({"workers": 2, "sessions": "sessions.db"}, "sessions with 2 workers"),
        ({"workers": 2, "session_ttl_s": float("inf")}, "sessions with 2 workers"),
        ({"bundles": []}, "a server without models"),
        ({"bundles": ["a/tiny", "tiny"]}, "two models of one name among tiny, tiny"),
    ],
)
def test_what_cannot_be_set(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_serving(None, given)


def test_settings_of_the_application_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="request_timeout_s is 0"):
        Serving(request_timeout_s=0).settings()
    with pytest.raises(InputError, match="session_ttl_s is -1"):
        Serving(session_ttl_s=-1).settings()
    assert [Serving(workers=n).settings().with_sessions for n in (1, 2)] == [True, False]
    (tmp_path / "keys").write_text("one key\n")
    assert Serving(api_key_file=str(tmp_path / "keys")).settings().api_keys == ("one key",)


@pytest.mark.parametrize(
    ("written", "said"),
    [(b"port = ", "is no TOML"), (b"\xff", "is no UTF-8"), (None, "cannot be read: No such file")],
)
def test_files_that_are_none(tmp_path: Path, written: bytes | None, said: str) -> None:
    path = tmp_path / "serve.toml"
    if written is not None:
        path.write_bytes(written)
    with pytest.raises(InputError, match=said):
        read_serving(str(path), {})


def test_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("\n# ours\n  a-key  \nb-key\r\n")
    assert read_keys(str(path)) == ("a-key", "b-key")
    path.write_text("# none yet\n")
    with pytest.raises(InputError, match="holds no key"):
        read_keys(str(path))


def test_the_file_on_the_page_of_the_server_can_be_read(tmp_path: Path) -> None:
    (shown,) = blocks(ROOT / "docs" / "serving.md", "toml")
    (tmp_path / "serve.toml").write_text(shown)
    serving = read_serving(str(tmp_path / "serve.toml"), {})
    assert serving.workers == 2
    assert serving.aliases == {"gpt-4o-mini": "default"}


def test_the_page_of_the_server_names_every_metric() -> None:
    page = (ROOT / "docs" / "serving.md").read_text("utf-8")
    counted = Metrics({}).render()[1].decode()
    made = re.findall(r"^# TYPE (\S+) ", counted, re.MULTILINE)
    assert set(re.findall(r"`(empgan_\w+)`", page)) == {*made}
