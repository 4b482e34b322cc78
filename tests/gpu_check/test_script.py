"""The script itself, from another folder, on the import path that it makes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpu.sections import SECTIONS
from support.source_tree import ROOT

SCRIPT = ROOT / "scripts" / "gpu_check"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script with this interpreter; plugins of pytest may be on its path alone."""
    ours = {str(ROOT), *(str(ROOT / name) for name in ("training", "export", "bench", "tests"))}
    path = [entry for entry in os.environ.get("PYTHONPATH", "").split(":") if entry not in ours]
    return subprocess.run(
        [str(SCRIPT), *arguments],
        cwd=folder,
        env=os.environ | {"PYTHON": sys.executable, "PYTHONPATH": ":".join(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_finds_our_packages(tmp_path: Path) -> None:
    done = run(tmp_path, "--dry-run", "--only", "machine", "--out", "there")
    assert done.returncode == 0, done.stderr
    saved = json.loads((tmp_path / "there" / "report.json").read_text())
    assert saved["machine"]["CPU"]
    assert saved["command"] == "scripts/gpu_check --dry-run --only machine --out there"


@pytest.mark.slow
def test_everything_is_rehearsed_without_a_gpu(tmp_path: Path) -> None:
    done = run(tmp_path, "--dry-run", "--out", "there")
    assert done.returncode == 0, done.stderr
    saved = json.loads((tmp_path / "there" / "report.json").read_text())
    found = {record["name"]: record for record in saved["sections"]}
    assert list(found) == [section.name for section in SECTIONS]
    skipped = {name for name, record in found.items() if record["status"] == "skipped"}
    assert skipped == {
        *("tensorrt", "goldens-tensorrt", "tokens-tensorrt", "memory-tensorrt", "tests"),
        *("bench-1", "bench-8", "bench-128", "bench-512"),
    }
    assert {found[name]["reason"] for name in skipped} == {"no GPU in a dry run"}
    assert all(found[name]["figures"] for name in found.keys() - skipped)
    text = (tmp_path / "there" / "report.md").read_text()
    assert "nothing here was computed by a GPU" in text
    assert all(f"## {name}" in text for name in found.keys() - skipped)
