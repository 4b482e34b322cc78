"""What no reviewer should have to look for: sizes, leftovers of a machine, ways to run code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from support.source_tree import PACKAGES, ROOT, module_paths

MAX_LINES = 300
MIB = 1 << 20
MAX_BUNDLE_BYTES = {"default": 36 * MIB, "tiny": 2 * MIB}
MODULES = module_paths()
# Spelled in pieces, so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:" + "|".join(("wor" + "k", "ro" + "ot", "home")) + r")/")
UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".yaml", ".json", ".jsonl", ".tsv", ".html", ""}
FOLDERS = ("empgan_rt", "training", "export", "bench", "tests", "docs", "scripts", ".ci")


def _repository_files() -> list[Path]:
    """Return the text files that belong to the repository."""
    files = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [
        path for path in files if path.suffix in TEXT_SUFFIXES and "__pycache__" not in path.parts
    ]


def uses_of_pickle(source: str) -> list[str]:
    """Return what in a module's source could unpickle a file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "torch" and any(alias.name == "load" for alias in node.names):
                found.append("torch.load")
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("torch.load", "torch.jit.load", "torch.hub.load"):
                found.append(called)
            found += [
                "allow_pickle"
                for keyword in node.keywords
                if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
            ]
        found += [name for name in names if name.split(".")[0] in UNPICKLING]
    return found


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
        "import numpy as np\nnp.load('x', allow_pickle=True)",
    ],
)
def test_the_check_for_pickle_can_fail(source: str) -> None:
    assert uses_of_pickle(source)
    assert not uses_of_pickle("import numpy as np\nnp.load('x', allow_pickle=False)")


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
