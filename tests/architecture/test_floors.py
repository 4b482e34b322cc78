"""The house plan as a test: a module imports lower floors or its own room, and nothing above.

A room is a module or a folder of a package. A new one needs a line in `FLOORS` and one in
docs/architecture.md.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping

import pytest

from support.imports import Import, imports_of
from support.source_tree import ROOT, module_paths

FLOORS: Mapping[str, Mapping[str, int]] = {
    "empgan_rt": {
        "_version": 0,
        "errors": 0,
        "bans": 1,
        "replacing": 0,
        "config": 1,
        "console": 1,
        "dialogue": 1,
        "offline": 1,
        "packages": 1,
        "storage": 1,
        "file_set": 1,
        "strict_json": 1,
        "ties": 1,
        "threads": 1,
        "graph_spec": 2,
        "hypothesis": 2,
        "sampling": 2,
        "weights_file": 1,
        "backend": 3,
        "goldens": 3,
        "manifest": 3,
        "ngram": 3,
        "phrase_ends": 3,
        "text": 3,
        "bundle": 4,
        "graph_audit": 5,
        "parity": 4,
        "request": 4,
        "search_rules": 4,
        "expansion": 5,
        "progress": 5,
        "tensorrt": 5,
        "ticket": 5,
        "batch": 6,
        "request_queue": 6,
        "answer": 6,
        "beam_search": 6,
        "lane": 7,
        "static_batch": 7,
        "backends": 8,
        "scheduler": 8,
        "session": 8,
        "async_session": 9,
        "engine": 9,
        "verification": 9,
        "quarantine": 10,
        "responder": 10,
        "session_pool": 10,
        "async_responder": 11,
        "graph_probe": 11,
        "__init__": 12,
        "commands": 12,
        "cli": 13,
        "__main__": 14,
    },
    "empgan_training": {
        "__init__": 0,
        "stored_json": 0,
        "systems": 0,
        "adam": 1,
        "config": 1,
        "data": 1,
        "digest": 1,
        "facts": 1,
        "interrupt": 1,
        "metrics": 1,
        "model": 1,
        "parallel": 1,
        "processor": 1,
        "run_log": 1,
        "speed": 1,
        "transfers": 1,
        "algorithms": 2,
        "checkpoint": 2,
        "decoding": 2,
        "precision": 2,
        "adversarial_sides": 3,
        "adversarial_stage": 4,
        "eager": 3,
        "evaluation": 3,
        "stage": 3,
        "start": 3,
        "opened_model": 4,
        "report_text": 4,
        "validation": 4,
        "evaluate": 5,
        "human": 5,
        "stages": 5,
        "human_cli": 6,
        "resume": 6,
        "tables": 6,
        "trainer": 7,
        "cli": 8,
        "reproduction": 8,
        "reproduce_cli": 9,
    },
    "empgan_export": {
        "__init__": 0,
        "best_words": 1,
        "contexts": 1,
        "half_precision": 1,
        "licences": 1,
        "lint": 1,
        "model_card": 1,
        "token_parity": 1,
        "quantised": 2,
        "verify": 2,
        "translations": 3,
        "to_onnx": 4,
        "graphs": 5,
        "variants": 6,
        "package": 7,
        "cli": 8,
    },
    "empgan_bench": {
        "__init__": 0,
        "arrivals": 0,
        "request_events": 0,
        "theme": 0,
        "axes": 1,
        "ending": 1,
        "engine_names": 1,
        "gpu": 0,
        "fingerprint": 1,
        "first_reply": 1,
        "gate": 1,
        "messages": 1,
        "slo": 1,
        "stats": 1,
        "workload": 1,
        "client": 2,
        "elements": 2,
        "engines": 2,
        "floor_graph": 2,
        "load_generator": 2,
        "text_times": 2,
        "timing": 2,
        "cold_start": 3,
        "floor": 3,
        "openvino": 3,
        "option_values": 3,
        "on_cuda": 3,
        "peers": 3,
        "standing": 3,
        "summary": 3,
        "torch_engines": 3,
        "worker": 3,
        "options": 4,
        "outcome": 4,
        "standing_text": 4,
        "suite": 5,
        "plots": 6,
        "report": 6,
        "benchmark": 7,
        "comparison": 7,
        "files": 7,
        "tables": 7,
        "document": 8,
        "markdown": 8,
        "page": 9,
        "gpu_check": 9,
        "scaling": 9,
        "serving": 9,
        "cli": 10,
    },
}

# Wing -> wings below it -> highest floor that it may use there.
REACH: Mapping[str, Mapping[str, int]] = {
    "empgan_rt": {},
    "empgan_training": {"empgan_rt": 7},
    "empgan_export": {"empgan_rt": 8, "empgan_training": 3},
    "empgan_bench": {"empgan_rt": 8},
}
# What single modules may use beyond that.
EXTRA: Mapping[str, tuple[str, ...]] = {
    "empgan_rt.sessions.session": ("empgan_rt.inference.responder",),  # its type alone
    "empgan_rt.sessions.async_session": ("empgan_rt.inference.async_responder",),  # its type alone
    "empgan_rt.sessions.pool": ("empgan_rt.inference.async_responder",),  # its type alone
    # `evaluate` scores bundles too.
    "empgan_training.opened_model": ("empgan_rt.backends.loader",),
    "empgan_bench.engines": ("empgan_training.eager",),
    "empgan_bench.first_reply": ("empgan_rt.__init__",),  # what a user's process imports
    "empgan_bench.torch_engines": ("empgan_training.eager", "empgan_training.model.attention"),
    "empgan_bench.gpu_check.engines": ("empgan_training.eager",),
    # They are users: of training's steps, and of the SDK.
    "empgan_bench.gpu_check.training": (
        "empgan_training.adam",
        "empgan_training.algorithms.mle",
        "empgan_training.config",
        "empgan_training.data.batch",
        "empgan_training.data.prepared",
        "empgan_training.model.generator",
        "empgan_training.precision",
    ),
    "empgan_bench.gpu_check.memory": ("empgan_rt.inference.responder",),
    "empgan_bench.on_cuda.compiled": (
        "empgan_training.eager",
        "empgan_training.model.generator",
    ),
    "empgan_bench.on_cuda.fixed_shapes": ("empgan_training.eager",),
    "empgan_bench.on_cuda.floor": ("empgan_training.eager",),
    "empgan_bench.on_cuda.graphs": (
        "empgan_training.eager",
        "empgan_training.model.generator",
        "empgan_training.transfers",
    ),
    "empgan_bench.on_cuda.torch_engines": (
        "empgan_training.eager",
        "empgan_training.model.generator",
        "empgan_export.half_precision",
    ),
    "empgan_bench.load_generator": (
        "empgan_rt.inference.async_responder",
        "empgan_rt.inference.responder",
    ),
    # It exports bundles of other sizes.
    "empgan_bench.scaling.resized": (
        "empgan_training.eager",
        "empgan_export.variants",
    ),
}

# Packages -> the modules (or folders) that may import them.
USERS: Mapping[str, tuple[str, ...]] = {
    "torch": (
        "empgan_training.model",
        "empgan_training.algorithms",
        "empgan_training.data.ahead",
        "empgan_training.data.batch",
        "empgan_training.checkpoint",
        "empgan_training.digest",
        "empgan_training.run_log",
        "empgan_training.adam",
        "empgan_training.parallel",
        "empgan_training.precision",
        "empgan_training.processor",
        "empgan_training.adversarial_sides",
        "empgan_training.adversarial_stage",
        "empgan_training.stage",
        "empgan_training.stages",
        "empgan_training.eager",
        "empgan_training.transfers",
        "empgan_training.validation",
        "empgan_training.resume",
        "empgan_training.trainer",
        "empgan_export.graphs",
        "empgan_export.half_precision",
        "empgan_export.quantised",
        "empgan_export.to_onnx",
        "empgan_export.translations",
        "empgan_export.package",
        "empgan_bench.torch_engines",
        "empgan_bench.on_cuda",
        "empgan_bench.peers.joeynmt",
        "empgan_bench.gpu_check.training",
    ),
    "onnx": (
        "empgan_export.graphs",
        "empgan_export.lint",
        "empgan_export.to_onnx",
        "empgan_export.translations",
        "empgan_export.package",
        "empgan_export.variants",
        "empgan_export.best_words",
    ),
}
# The same, inside functions only.
LATE_USERS: Mapping[str, tuple[str, ...]] = {
    "onnx": (
        "empgan_rt.verification.audit",
        "empgan_rt.verification.probe",
        "empgan_rt.backends.tensorrt",
        "empgan_bench.floor_graph",
    ),
    "onnxruntime": ("empgan_rt.backends.onnxruntime.session",),  # which silences it first
    "openvino": ("empgan_bench.openvino",),  # likewise
    "tensorrt": ("empgan_rt.backends", "empgan_rt.backends.tensorrt"),
    "tensorrt_rtx": ("empgan_rt.backends.tensorrt",),
    "cuda": ("empgan_rt.backends", "empgan_rt.backends.tensorrt"),
}

PATHS = module_paths()


def room_of(module: str) -> tuple[str, str]:
    """Return the wing and the room of a module."""
    wing, room, *_ = module.split(".")
    return wing, room


def faults_of(module: str, source: str) -> Iterator[str]:
    """Yield every import of a module that the plan forbids."""
    wing, room = room_of(module)
    if room not in FLOORS[wing]:
        yield f"{module}: no floor; enter its room in FLOORS"
        return
    for found in imports_of(module, source, PATHS):
        target = found.target
        if target.split(".")[0] in FLOORS:
            allowed = target in PATHS and _may_use(module, target)
        else:
            allowed = _may_use_package(module, found)
        if not allowed:
            yield f"{module}:{found.line}: may not import {target}"


def _may_use(module: str, target: str) -> bool:
    wing, room = room_of(module)
    other, other_room = room_of(target)
    if target in EXTRA.get(module, ()):
        return True
    floor = FLOORS[other].get(other_room)
    if floor is None:
        return False
    if other != wing:
        return floor <= REACH[wing].get(other, -1)
    return other_room == room or floor < FLOORS[wing][room]


def _may_use_package(module: str, found: Import) -> bool:
    package = found.target.split(".")[0]
    if package not in USERS and package not in LATE_USERS:
        return True
    users = USERS.get(package, ()) + (LATE_USERS.get(package, ()) if found.nested else ())
    return any(module == user or module.startswith(f"{user}.") for user in users)


@pytest.mark.parametrize("wing", FLOORS)
def test_imports_run_down(wing: str) -> None:
    modules = [name for name in PATHS if name.split(".")[0] == wing]
    assert modules
    assert [f for name in modules for f in faults_of(name, PATHS[name].read_text("utf-8"))] == []


def test_every_room_of_the_table_exists() -> None:
    rooms = {room_of(name) for name in PATHS}
    assert {(wing, room) for wing, floors in FLOORS.items() for room in floors} == rooms


@pytest.mark.parametrize("wing", FLOORS)
def test_the_plan_on_paper_shows_every_room_on_its_floor(wing: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    section = page.split(f"\n### `{wing}`\n")[1].split("\n#")[0]
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", section, re.MULTILINE))
    floors = FLOORS[wing]
    assert [room for room in floors if f"`{room}`" not in rows.get(str(floors[room]), "")] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("empgan_rt.config", "from .beam_search import BeamSearch"),
        ("empgan_rt.config", "def f():\n    from . import beam_search"),
        ("empgan_rt.config", "from .dialogue import Turn"),  # the same floor, another room
        ("empgan_rt.text.tokenizer", "from ..bundle import Bundle"),
        ("empgan_rt.bundle.bundle", "from empgan_training.config import TrainConfig"),
        ("empgan_rt.bundle.bundle", "import empgan_training.config"),
        ("empgan_rt.bundle.bundle", "from importlib import import_module\nimport_module('torch')"),
        ("empgan_rt.backends.onnxruntime.backend", "import torch"),
        ("empgan_rt.backends.onnxruntime.backend", "import onnxruntime"),
        ("empgan_rt.backends.onnxruntime.backend", "from onnxruntime import InferenceSession"),
        ("empgan_rt.backends.onnxruntime.backend", "def f():\n    import onnxruntime"),
        ("empgan_export.to_onnx", "def f():\n    import onnxruntime"),
        ("empgan_bench.floor", "def f():\n    import_module('onnxruntime')"),
        ("empgan_bench.engines", "def f():\n    import openvino"),
        ("empgan_rt.bundle.bundle", "def f():\n    import onnxruntime"),
        ("empgan_rt.bundle.bundle", "def f():\n    import tensorrt"),
        ("empgan_rt.backends.tensorrt.build", "import tensorrt"),
        ("empgan_rt.verification.audit", "import onnx"),
        ("empgan_training.metrics.bleu", "import torch"),
        ("empgan_bench.engines", "import torch"),
        ("empgan_training.trainer", "from empgan_rt.backends.loader import load_backend"),
        ("empgan_export.graphs", "from empgan_export.package import package"),
        ("empgan_bench.suite", "from empgan_training.eager import EagerBackend"),
        ("empgan_rt.new_room", ""),
        ("empgan_rt.config", "from .no_such_module import name"),
    ],
)
def test_a_planted_fault_is_found(module: str, source: str) -> None:
    assert len([*faults_of(module, source)]) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("empgan_rt.backends.onnxruntime.session", "def f():\n    import onnxruntime"),
        (
            "empgan_rt.text.featurizer",
            "from .tokenizer import Tokenizer\nfrom ..config import Limits",
        ),
        (
            "empgan_training.trainer",
            "import torch\nfrom empgan_rt.search.beam_search import BeamSearch",
        ),
        ("empgan_bench.engines", "from empgan_training.eager import EagerBackend"),
        ("empgan_bench.torch_engines", "import torch"),
    ],
)
def test_what_the_plan_allows_is_no_fault(module: str, source: str) -> None:
    assert [*faults_of(module, source)] == []


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
