"""Every name of CUDA's runtime that we touch exists in cuda-python, and is given what it takes.

`tests/data/cuda_names.json` has functions with the number of their arguments, and enumerations with
their members, as far as we use them. They were read from cuda-python 13.4.4; the same test reads
them from the module itself where that is installed.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from support.pretended.cuda_runtime import CudaRuntime
from support.source_tree import ROOT, module_paths

NAMES: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "cuda_names.json").read_text("utf-8"))
CLOCK = "empgan_bench.engines.cuda.clock"  # what else is given cuda-python's module
MODULES = {
    name: path.read_text("utf-8")
    for name, path in module_paths().items()
    if name == CLOCK or name.startswith("empgan_rt.backends.tensorrt.")
}


def faults_of(source: str) -> Iterator[str]:
    """Yield the names of CUDA in a module's source that are wrong, or wrongly called."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = owner_of(node)
            if owner == "cuda" and node.attr not in NAMES:
                yield node.attr
            if owner.startswith("cuda.") and node.attr not in NAMES.get(owner[5:], ()):
                yield f"{owner}.{node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            wanted = NAMES.get(node.func.attr, len(node.args))
            if owner_of(node.func) == "cuda" and len(node.args) != wanted:
                yield f"{node.func.attr} with {len(node.args)} arguments, not {wanted}"


def owner_of(node: ast.Attribute) -> str:
    """Return what a name is looked up in; whoever holds the module is left out."""
    return re.sub(r"^[\w.]+\.cuda\b", "cuda", ast.unparse(node.value))


def used() -> set[str]:
    """Return the names of CUDA that our sources touch."""
    return {
        node.attr
        for source in MODULES.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and owner_of(node) == "cuda"
    }


@pytest.mark.parametrize("module", MODULES)
def test_every_name_exists(module: str) -> None:
    assert [*faults_of(MODULES[module])] == []


def test_the_list_holds_what_we_use_and_the_stand_in_has_it() -> None:
    assert used() == {*NAMES}
    assert {name for name in NAMES if not hasattr(CudaRuntime(), name)} == set()


@pytest.mark.parametrize(
    "source",
    [
        "cuda.cudaMallocc(1)",
        "self._device.cuda.cudaMalloc(1, 2)",
        "cuda.cudaError_t.cudaErrorOutOfMemory",  # the driver's name
        "cuda.cudaGraphInstantiate(graph)",
    ],
)
def test_the_check_can_fail(source: str) -> None:
    assert len([*faults_of(source)]) == 1


def test_the_list_is_true_of_the_module_that_is_installed() -> None:
    try:
        cuda = importlib.import_module("cuda.bindings.runtime")
    except ImportError:
        pytest.skip("cuda-python is not installed (pip install 'empgan-rt[trt-check]')")
    for name, wanted in NAMES.items():
        found = getattr(cuda, name)
        if isinstance(wanted, list):
            assert {*wanted} <= {*dir(found)}
        elif wanted is not None:  # its first line is its signature
            arguments = found.__doc__.splitlines()[0].partition("(")[2].rpartition(")")[0]
            assert len([a for a in arguments.split(",") if a.strip()]) == wanted
