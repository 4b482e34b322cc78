"""`import empgan_rt` is light, and its public names are known."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import empgan_rt
from support.source_tree import PACKAGES, ROOT

HEAVY = {"torch", "onnxruntime", "onnx", "tensorrt", "empgan_training", "empgan_export"}
PUBLIC_NAMES = [
    "Alternative",
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
    "InputError",
    "Limits",
    "ParityError",
    "ProviderError",
    "RecognisedEmotion",
    "Reply",
    "Responder",
    "SearchConfig",
    "Session",
    "StorageError",
    "Timings",
    "Turn",
    "__version__",
    "set_num_threads",
]


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after a statement."""
    script = f"import json, sys\n{statement}\nprint(json.dumps([*sys.modules]))"
    paths = [str(ROOT), *(str(folder.parent) for folder in PACKAGES.values())]
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        check=True,
        text=True,
    )
    return {name.split(".")[0] for name in json.loads(run.stdout)}


@pytest.mark.parametrize("statement", ["import empgan_rt", "import empgan_rt.cli"])
def test_importing_the_runtime_is_light(statement: str) -> None:
    loaded = loaded_by(statement)
    assert "empgan_rt" in loaded
    assert loaded & HEAVY == set()


def test_the_check_for_lightness_can_fail() -> None:
    assert "onnxruntime" in loaded_by(
        "from empgan_rt.backends.ort_session import import_onnxruntime\nimport_onnxruntime()"
    )


def test_public_names() -> None:
    assert sorted(empgan_rt.__all__) == PUBLIC_NAMES
    assert all(hasattr(empgan_rt, name) for name in PUBLIC_NAMES)
