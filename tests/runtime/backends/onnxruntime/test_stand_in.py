"""ONNX Runtime's real CUDA provider, over libraries that believe in a GPU and compute nothing.

What can be seen so: that it takes our options and graphs, which nodes it leaves to the CPU, what a
step copies, and what it says when memory runs out or the device is lost. EMPGAN_GPU_PYTHON names an
interpreter that has onnxruntime-gpu for CUDA 13 and the base dependencies.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.backends.onnxruntime.providers import DEVICES, with_options
from support.pretended import cuda_libraries
from support.source_tree import ROOT

GPU_PYTHON = os.environ.get("EMPGAN_GPU_PYTHON", "")
SCRIPT = Path(cuda_libraries.__file__).with_name("script.py")
WHERE = "import onnxruntime, pathlib; print(pathlib.Path(onnxruntime.__file__).parent)"
TO_DEVICE, TO_HOST = "1", "2"

pytestmark = [
    pytest.mark.skipif(not GPU_PYTHON, reason="EMPGAN_GPU_PYTHON names no interpreter"),
    pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed"),
]


@pytest.fixture(scope="module")
def libraries() -> Path:
    """The folder of ONNX Runtime's own libraries."""
    where = subprocess.run([GPU_PYTHON, "-c", WHERE], check=True, capture_output=True, text=True)
    return Path(where.stdout.strip()) / "capi"


@pytest.fixture(scope="module")
def seen(libraries: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What the script printed, and the copies of one step."""
    folder = tmp_path_factory.mktemp("cuda")
    cuda_libraries.build(libraries / "libonnxruntime_providers_cuda.so", folder)
    environment = os.environ | {"LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(ROOT)}
    command = [GPU_PYTHON, str(SCRIPT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_the_state_stays_on_the_device(seen: tuple[dict[str, Any], str]) -> None:
    found, _ = seen
    assert set(found["devices"].values()) == {"cuda"}
    assert found["shapes"]["hidden"][:2] == [2, 2]
    assert found["shapes"]["mask"] == [2, 2]


def test_a_step_copies_ids_up_and_candidates_down(seen: tuple[dict[str, Any], str]) -> None:
    copies = Counter(re.findall(r"^copy (\d) (\d+)$", seen[1], re.MULTILINE))
    ids, candidates = str(2 * 2 * 4), str(2 * 2 * 3 * 4)  # bytes
    up = {size: count for (kind, size), count in copies.items() if kind == TO_DEVICE}
    down = {size: count for (kind, size), count in copies.items() if kind == TO_HOST}
    assert up == {ids: 3, "8": 1}  # tokens, parents and banned; how many are wanted
    assert down == {candidates: 2, "8": 1}  # ids and log-probabilities; a top-k's number of blocks


def test_the_step_may_not_be_captured(seen: tuple[dict[str, Any], str]) -> None:
    assert "cannot use the graph capture feature" in seen[0]["capture"]


def test_without_tensorrt_its_provider_is_not_exchanged_for_cuda(
    seen: tuple[dict[str, Any], str],
) -> None:
    assert "needs TensorRT 10: libnvinfer.so.10 cannot be loaded" in seen[0]["tensorrt"]


def test_tensorrts_provider_knows_our_options(
    libraries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    [(_, options), _] = with_options(DEVICES["tensorrt"])
    library = (libraries / "libonnxruntime_providers_tensorrt.so").read_bytes()
    assert options
    assert [name for name in options if name.encode() + b"\0" not in library] == []


def test_failures_are_told_apart(seen: tuple[dict[str, Any], str]) -> None:
    found, _ = seen
    assert found["full"].startswith("memory ran out in the decoder's memory")
    assert found["after"] == "none"
    assert found["lost"].startswith("the device failed in the decoder_step: CUDA failure 700: an ")
    assert "hostname" not in found["lost"]
