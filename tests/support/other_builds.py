"""Interpreters that have another build of ours."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .source_tree import ROOT


def python_with(folder: Path) -> str:
    """Return an interpreter that finds the packages of a folder alone."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return str(python)


def older_build(folder: Path) -> str:
    """Return an interpreter with this build as it was before its protocol had a number."""
    (folder / "empgan_rt").symlink_to(ROOT / "empgan_rt")
    bench = folder / "empgan_bench"
    shutil.copytree(ROOT / "bench" / "empgan_bench", bench)
    messages = bench / "workers" / "messages.py"
    messages.write_text(messages.read_text().replace("PROTOCOL = 1\n", ""))
    base = bench / "engines" / "base.py"
    known = 'versions("onnxruntime", "onnxruntime-gpu")'
    assert known in base.read_text()
    base.write_text(base.read_text().replace(known, '{"copied": "1"}'))
    return python_with(folder)
