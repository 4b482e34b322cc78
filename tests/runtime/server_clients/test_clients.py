"""Clients of others, as they are, where they are installed, against a server; their page.

Clients of JavaScript are looked for in `EMPGAN_NODE_MODULES`, a folder with `node_modules` in it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support.installed import need
from support.served import serve
from support.source_tree import ROOT

PAGE = ROOT / "docs" / "results" / "clients.md"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("clients", ROOT / "scripts" / "clients.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["clients"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


clients = script()


@pytest.fixture(scope="module")
def errand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What probes are given: one server, which lets nobody wait, and what it answers."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(clients.KEY)
    with serve("tiny", "--max-queue", "0", "--api-key-file", str(keys), "-q") as served:
        url = f"http://127.0.0.1:{served.port}"
        yield {
            "url": url,
            "busy_url": url,
            "key": clients.KEY,
            "model": "tiny",
            "busy_model": "tiny",
            "said": clients.SAID,
            "reply": clients.reply_of(url),
        }


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", clients.CLIENTS)
def test_a_client_is_served(name: str, errand: dict[str, str], tmp_path: Path) -> None:
    client = clients.CLIENTS[name]
    command = _python(client) if client.is_python else _node(client, tmp_path)
    told = clients.seen(command, tmp_path, errand)
    assert told
    assert {asked: line for asked, line in told.items() if not line["is_right"]} == {}


def _python(client: Any) -> list[str]:
    """Return the command of a probe in this interpreter, if the client is there in any version."""
    need(*(package.partition("==")[0].replace("-", "_") for package in client.packages))
    return [sys.executable, str(clients.PROBES / client.probe)]


def _node(client: Any, folder: Path) -> list[str]:
    """Return the command of a probe beside the modules of npm, if the very versions are there."""
    modules = Path(os.environ.get("EMPGAN_NODE_MODULES", "")) / "node_modules"
    for package in client.packages:
        name, _, version = package.rpartition("@")
        manifest = modules / name / "package.json"
        if not manifest.is_file() or json.loads(manifest.read_bytes())["version"] != version:
            pytest.skip(f"could not find {package} of npm")
    if not (node := shutil.which("node")):
        pytest.skip("could not find node")
    (folder / "node_modules").symlink_to(modules.resolve())
    for probe in clients.PROBES.glob("*.mjs"):
        shutil.copy(probe, folder)
    return [node, client.probe]


def test_what_fails_is_told(tmp_path: Path) -> None:
    line = {"asked": "chat", "happened": "no | `text`\nat all", "is_right": False}
    program = f"print('words of a client'); print({json.dumps(line)!r})"
    told = clients.seen([sys.executable, "-c", program], tmp_path, {})
    assert clients.cell(told["chat"]) == "**fails**: `no / 'text' at all`"
    assert clients.cell(told.get("response")) == ""


def test_the_page_has_every_client_and_none_that_fails() -> None:
    page = PAGE.read_text("utf-8")
    for name, client in clients.CLIENTS.items():
        row = next(line for line in page.splitlines() if line.startswith((f"| {name} |", name)))
        assert ", ".join(client.packages) in row
        assert "**fails**" not in row
