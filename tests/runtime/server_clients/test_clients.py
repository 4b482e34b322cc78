"""Clients of others, as they are, against a server on loopback, where they are installed; their page.

Clients of JavaScript are looked for in `EMPGAN_NODE_MODULES`, a folder with `node_modules` in it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

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
