"""The contracts of pyproject.toml hold and find what is planted; so does what they cannot see.

import-linter holds which module may import which. It reads no `import_module("name")`, and does not
tell an import at the top of a module from one inside a function, which is what keeps
`import empgan_rt` light.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.imports import imports_of
from support.source_tree import PACKAGES, ROOT, module_paths

# Packages -> the modules (or folders) that may import them, inside functions only.
LATE_USERS: Mapping[str, tuple[str, ...]] = {
    "onnx": (
        "empgan_rt.verification.audit",
        "empgan_rt.verification.probe",
        "empgan_rt.backends.tensorrt",
        "empgan_bench.engines.floor_graph",
    ),
    "onnxruntime": ("empgan_rt.backends.onnxruntime.session",),  # which silences it first
    "openvino": ("empgan_bench.engines.openvino",),  # likewise
    "tensorrt": ("empgan_rt.backends",),
    "tensorrt_rtx": ("empgan_rt.backends.tensorrt",),
    "cuda": ("empgan_rt.backends",),
    "starlette": (),
    "uvicorn": (),
    "h11": (),
    "prometheus_client": (),
}
# The same, at the top of a module too.
USERS: Mapping[str, tuple[str, ...]] = {
    "onnx": ("empgan_export",),
    "starlette": ("empgan_rt.server",),
    "uvicorn": ("empgan_rt.server",),
    "h11": ("empgan_rt.server", "empgan_bench.workers.http"),
    "prometheus_client": ("empgan_rt.server",),
}

PATHS = module_paths()

# Module -> an import that no contract allows, and what the report says of it.
PLANTED: Mapping[str, tuple[str, str]] = {
    "empgan_rt.config": ("def f():\n    from .search import beam_search", "empgan_rt.search"),
    "empgan_rt.dialogue.turns": ("from ..config import Limits", "empgan_rt.config"),
    "empgan_rt.text.tokenizer": ("from ..bundle.bundle import Bundle", "empgan_rt.bundle.bundle"),
    "empgan_rt.search.decode": (
        "from ..backends.base import GraphBackend",
        "empgan_rt.backends.base",
    ),
    "empgan_rt.sessions.session": (
        "if TYPE_CHECKING:\n    from ..inference.responder import Responder",
        "empgan_rt.inference.responder",
    ),
    "empgan_rt.guard.phrases": (
        "from ..text.tokenizer import Tokenizer",
        "empgan_rt.text.tokenizer",
    ),
    "empgan_rt.backends.loader": ("from ..inference.lane import Lane", "empgan_rt.inference.lane"),
    "empgan_rt.inference.lane": ("import rich", "rich"),
    "empgan_rt.inference.responder": ("from ..cli import console", "empgan_rt.cli.console"),
    "empgan_rt.bundle.manifest": ("def f():\n    import torch", "torch"),
    "empgan_rt.bundle.bundle": ("import empgan_training.config", "empgan_training.config"),
    "empgan_training.metrics.bleu": ("import torch", "torch"),
    "empgan_training.run.trainer": (
        "from empgan_rt.backends.loader import load_backend",
        "empgan_rt.backends.loader",
    ),
    "empgan_training.run.stage": ("from empgan_rt.cli import console", "empgan_rt.cli.console"),
    "empgan_training.scoring.evaluate": ("import click", "click"),
    "empgan_training.model.gru": (
        "from ..checkpoint import Checkpoint",
        "empgan_training.checkpoint",
    ),
    "empgan_export.graphs": ("from .package import export_bundle", "empgan_export.package"),
    "empgan_export.variants": (
        "from empgan_training.run.trainer import Trainer",
        "empgan_training.run.trainer",
    ),
    "empgan_export.verify": (
        "from empgan_rt.inference.responder import Responder",
        "empgan_rt.inference.responder",
    ),
    "empgan_bench.batches.suite": (
        "from empgan_training.eager import EagerBackend",
        "empgan_training.eager",
    ),
    "empgan_bench.engines.base": (
        "from ..measuring.gate import Gate",
        "empgan_bench.measuring.gate",
    ),
    "empgan_bench.measuring.timing": ("import torch", "torch"),
    "empgan_rt.new_room": ("", "new_room"),
}


def lint(folders: list[Path], config: Path) -> tuple[int, str]:
    """Return import-linter's exit code and report on the packages in these folders."""
    code = (
        "import sys; from importlinter.cli import lint_imports; "
        "sys.exit(lint_imports(config_filename=sys.argv[1], no_cache=True))"
    )
    path = os.pathsep.join([*map(str, folders), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code, str(config)],
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200", "NO_COLOR": "1"},
        cwd=folders[0],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_hold() -> None:
    code, report = lint([path.parent for path in PACKAGES.values()], ROOT / "pyproject.toml")
    assert code == 0, report
    assert " 0 broken" in report


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy of our modules in which faults are planted."""
    copy = tmp_path_factory.mktemp("planted")
    for package, folder in PACKAGES.items():
        shutil.copytree(
            folder, copy / package, ignore=shutil.ignore_patterns("assets", "__pycache__")
        )
    for module, (source, _) in PLANTED.items():
        path = copy.joinpath(*module.split(".")).with_suffix(".py")
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{source}\n")
    code, said = lint([copy], ROOT / "pyproject.toml")
    assert code == 1
    return said


@pytest.mark.parametrize("module", PLANTED)
def test_a_planted_import_is_found(module: str, report: str) -> None:
    source, target = PLANTED[module]
    wanted = f"{module} -> {target}" if source else target
    assert wanted in report


def late_faults(module: str, source: str) -> Iterator[str]:
    """Yield each import of a package that only some modules may import, or only in functions."""
    for found in imports_of(module, source, PATHS):
        package = found.target.split(".")[0]
        if package not in LATE_USERS:
            continue
        users = USERS.get(package, ()) + (LATE_USERS[package] if found.nested else ())
        if not any(module == user or module.startswith(f"{user}.") for user in users):
            yield f"{module}:{found.line}: may not import {found.target} here"


def test_engines_are_imported_late_and_where_they_are_run() -> None:
    assert [f for name in PATHS for f in late_faults(name, PATHS[name].read_text("utf-8"))] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("empgan_rt.backends.onnxruntime.session", "import onnxruntime"),
        ("empgan_rt.backends.onnxruntime.session", "from onnxruntime import InferenceSession"),
        ("empgan_rt.backends.onnxruntime.backend", "def f():\n    import onnxruntime"),
        ("empgan_export.to_onnx", "def f():\n    import onnxruntime"),
        ("empgan_bench.engines.floor", "def f():\n    import_module('onnxruntime')"),
        ("empgan_bench.engines.base", "def f():\n    import openvino"),
        ("empgan_rt.bundle.bundle", "def f():\n    import tensorrt"),
        ("empgan_rt.backends.tensorrt.build", "import tensorrt"),
        ("empgan_rt.verification.audit", "import onnx"),
        ("empgan_rt.bundle.bundle", "def f():\n    import onnx"),
        ("empgan_rt.cli.chat", "def f():\n    import uvicorn"),
    ],
)
def test_a_planted_engine_is_found(module: str, source: str) -> None:
    assert len([*late_faults(module, source)]) == 1


def test_an_engine_where_it_is_run_is_no_fault() -> None:
    source = "def f():\n    import onnxruntime"
    assert [*late_faults("empgan_rt.backends.onnxruntime.session", source)] == []
    assert [*late_faults("empgan_export.graphs", "import onnx")] == []


def test_the_runtime_imports_its_own_dependencies_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {line.split(">")[0] for line in project["dependencies"]}
    assert {"numpy", "click"} <= declared
    allowed = declared | {*sys.stdlib_module_names, "empgan_rt", *LATE_USERS}
    found = {
        f"{name}:{i.line}: {i.target}"
        for name, path in PATHS.items()
        if name.startswith("empgan_rt.")
        for i in imports_of(name, path.read_text("utf-8"), PATHS)
        if i.target.split(".")[0] not in allowed
    }
    assert found == set()


def test_every_room_is_on_the_map() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = {name.split(".")[1] for name in PATHS if name.startswith("empgan_rt.")}
    assert [room for room in rooms - {"__init__"} if f"`{room}`" not in page] == []
