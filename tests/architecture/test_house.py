"""What no reviewer should have to look for: sizes, leftovers of a machine, ways to run code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from support.pickle_uses import uses_of_pickle
from support.source_tree import PACKAGES, ROOT, module_paths

MAX_LINES = 300
MIB = 1 << 20
MAX_BUNDLE_BYTES = {"default": 36 * MIB, "tiny": 2 * MIB}
MODULES = module_paths()
# Spelled in pieces, so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:" + "|".join(("wor" + "k", "ro" + "ot", "home")) + r")/")
# Elsewhere a version may stand in a message; what is recorded asks the installed distribution.
VERSION_READERS = {
    "empgan_rt.backends.onnxruntime.cuda_diagnosis",
    "empgan_rt.backends.onnxruntime.session",
    "empgan_rt.backends.tensorrt.machine",  # of the library that builds, whichever wheel brought it
    "empgan_bench.engines.cuda.torch",
}
DATA_SUFFIXES = {".toml", ".yaml", ".yml", ".cff", ".json", ".jsonl", ".tsv"}
TEXT_SUFFIXES = {".py", ".md", ".txt", ".html", "", *DATA_SUFFIXES}
WINGS = ("empgan_rt", "training", "export", "bench")
FOLDERS = (*WINGS, "tests", "docs", "examples", "scripts", ".ci", ".github")


def _repository_files() -> list[Path]:
    """Return the text files that belong to the repository."""
    files = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [
        path for path in files if path.suffix in TEXT_SUFFIXES and "__pycache__" not in path.parts
    ]


def test_modules_are_short_enough() -> None:
    lines = {name: path.read_text("utf-8").count("\n") for name, path in MODULES.items()}
    assert {name: n for name, n in lines.items() if n > MAX_LINES} == {}


def test_no_module_unpickles() -> None:
    uses = {name: uses_of_pickle(path.read_text("utf-8")) for name, path in MODULES.items()}
    assert {name: found for name, found in uses.items() if found} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from joblib import load",
        "import torch\ntorch.load('x', weights_only=True)",
        "from torch import load",
        "from torch import hub\ntorch.hub.load('x', 'y')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "from sklearn.svm import LinearSVC",
        "package = import_eval_package('profanity_check')",
        "import importlib\nimportlib.import_module('joblib.numpy_pickle')",
        "frame.read_pickle('x')",
    ],
)
def test_the_check_for_pickle_can_fail(source: str) -> None:
    assert uses_of_pickle(source)
    assert not uses_of_pickle("import numpy as np\nnp.load('x', allow_pickle=False)")


def test_recorded_versions_are_those_of_the_installed_distributions() -> None:
    """A package's own `__version__` may name another one than is installed."""
    readers = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "__version__"
    }
    assert readers == VERSION_READERS


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_typed(package: str) -> None:
    assert (PACKAGES[package] / "py.typed").is_file()
    assert (PACKAGES[package] / "__init__.py").is_file()


def test_nothing_names_a_machine() -> None:
    files = _repository_files()
    assert ROOT / "pyproject.toml" in files
    assert ROOT / ".ci" / "run" in files
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


def test_the_check_for_machine_paths_can_fail() -> None:
    assert MACHINE_PATH.search("data = '/" + "home/someone/data'")
    assert not MACHINE_PATH.search("see docs/home/page.md")


@pytest.mark.parametrize("name", MAX_BUNDLE_BYTES)
def test_embedded_model_is_small(name: str) -> None:
    folder = PACKAGES["empgan_rt"] / "assets" / name
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert 0 < size <= MAX_BUNDLE_BYTES[name]
