"""The public surface is a sorted list, and importing it loads no engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

import empgan_rt
from empgan_rt import errors

UPPER_WINGS = ("empgan_training", "empgan_export", "empgan_bench")
ENGINES = ("torch", "onnxruntime", "onnx", "tensorrt", "safetensors", *UPPER_WINGS)
HEAVY = (*ENGINES, "rich", "click", "asyncio")
PUBLIC = [
    "Alternative",
    "AsyncResponder",
    "AsyncSession",
    "BundleError",
    "CheckpointError",
    "Chunk",
    "DataError",
    "DeadlineError",
    "DependencyError",
    "Dialogue",
    "DivergenceError",
    "Emotion",
    "EmpganError",
    "GateError",
    "Guard",
    "InputError",
    "Limits",
    "ParityError",
    "ProviderError",
    "QueueFullError",
    "RecognisedEmotion",
    "Reply",
    "Responder",
    "SearchConfig",
    "Session",
    "SessionPool",
    "SessionStore",
    "SqliteStore",
    "StorageError",
    "StoredDialogue",
    "Timings",
    "Turn",
    "Verdict",
    "WordGuard",
    "__version__",
    "set_num_threads",
]


def loaded_by(code: str) -> set[str]:
    """Return the HEAVY packages that a fresh interpreter has loaded after running `code`."""
    report = f"\nimport sys\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code + report],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_exported_names_are_these() -> None:
    assert empgan_rt.__all__ == PUBLIC == sorted(PUBLIC)
    for name in PUBLIC:
        assert hasattr(empgan_rt, name)


def test_every_error_is_exported() -> None:
    tree = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert {name for name in tree if name.endswith("Error")} <= {*PUBLIC}


def test_importing_loads_no_engine() -> None:
    assert loaded_by("import empgan_rt; from empgan_rt import Responder, Session") == set()


def test_the_command_loads_no_engine() -> None:
    assert loaded_by("import empgan_rt.cli.main") & {*ENGINES} == set()


@pytest.mark.parametrize("name", ["click", "onnxruntime", "empgan_training"])
def test_the_check_can_fail(name: str) -> None:
    assert name in loaded_by(f"import empgan_rt, {name}")
