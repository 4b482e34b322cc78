"""The browser's engine under Node.js, for what needs no browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from support.source_tree import PACKAGES

PAGE = PACKAGES["empgan_rt"] / "web" / "page"
ENGINE = PACKAGES["empgan_rt"] / "web" / "engine"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no Node.js on the path")


def run_engine(task: str, given: Any) -> Any:
    """Return what the engine makes of a task of `web_engine.mjs`."""
    script = Path(__file__).with_suffix(".mjs")
    asked = json.dumps({"engine": str(ENGINE), "page": str(PAGE), "task": task, "given": given})
    done = subprocess.run(
        [str(NODE), str(script)],
        input=asked.encode(),
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def differences(found: Iterable[Any], wanted: Iterable[Any], given: Iterable[Any]) -> list[Any]:
    """Return the first three things given that the two sides make something else of.

    pytest would take minutes to show how two long lists differ.
    """
    sides = zip(found, wanted, given, strict=True)
    return [each for each in sides if each[0] != each[1]][:3]
