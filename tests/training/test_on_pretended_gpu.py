"""Training on a GPU, in pretence (see `support.pretended.torch_cuda`): every operator stays on one
device, the host waits where it has to and nowhere else, and results are the CPU's.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.pretended.torch_cuda import build, missing
from support.runs import assert_alike
from support.small_data import prepare_own

ROOT = Path(__file__).parents[2]
PATHS = [ROOT, *(ROOT / name for name in ("training", "export", "bench", "tests"))]
REASON = missing()
pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(REASON), reason=REASON)]

# Where a step waits for the GPU, and why it has to. Everything else is outside of steps.
LIKELIHOOD = {
    "copy to the host in parallel.summed": "a step is taken only if its losses are finite",
    "item in parallel.set_gradients": "and its gradient",
    "copy to the GPU in mle.recogniser_loss": "seven counts",
}
WAITS_OF_STEPS = {
    **LIKELIHOOD,
    "item in adversarial_sides.generator_step": "and that of the generator",
    "item in replies._decode": "decoding ends when every reply has ended",
    "item in critic.join": "how long what critics read is",
    "item in words.forward": "how many emotion words there are",
    "item in encoders.one_sequence": "how long flat contexts are",
    "nonzero in policy_gradient.step_rewards": "which prefixes are completed",
    "nonzero in rollouts.completed_replies": "which completions go on",
    "mask in policy_gradient.generator_losses": "which words were chosen",
    "mask in adversarial_sides.generator_step": "the same, going back",
}
WAITS_BESIDE_STEPS = {
    "copy to the host in checkpoint.<dictcomp>",
    "copy to the host in eager.encode",
    "copy to the host in eager.fetched",
    "copy to the host in validation._recogniser_logits",
    "item in validation.teacher_forced",
    "copy to the GPU in batch.<lambda>",  # of validation
    "copy to the GPU in validation._recogniser_logits",
    "copy to the GPU in stages.<dictcomp>",  # critics
    "copy to the GPU in eager.admit",
    "copy to the GPU in stages._recogniser_task",
    "copy to the GPU in stages._adversary",
    "copy to the GPU in trainer.__init__",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("guard") / "guard.so"
    build(path)
    return path


@pytest.fixture(scope="module")
def ran(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Any]:
    """Return what tells of the run of a case, which happens once."""

    @functools.cache
    def run(case: str) -> Any:
        folder = tmp_path_factory.mktemp("run")
        prepare_own(folder, 70)
        return child(library, folder, case)

    return lambda case: run(json.dumps(case))


def child(library: Path, folder: Path, case: str) -> Any:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PATHS))}
    environment["OMP_NUM_THREADS"] = "1"
    script = ROOT / "tests" / "support" / "pretended" / "torch_cuda" / "child.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", script, library, case, folder],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def values(
    system: str, precision: str = "fp32", relaxation: str = "straight_through"
) -> dict[str, str]:
    return {"system": system, "precision": precision, "relaxation": relaxation}


def case(system: str, precision: str = "fp32", relaxation: str = "straight_through") -> Any:
    marks = () if (system, precision) == ("EmpGAN", "fp32") else (pytest.mark.slow,)
    return pytest.param(
        values(system, precision, relaxation), id=f"{system}-{precision}-{relaxation}", marks=marks
    )


@pytest.mark.parametrize(
    "case",
    [
        case("EmpGAN"),
        case("EmpGAN", "bf16"),
        case("SeqGAN"),
        case("SeqGAN", "bf16"),
        case("EmpWD", relaxation="soft"),
        case("EmpWD-next", relaxation="reinforce"),
        case("EmpD"),
        case("EmpG"),
        case("Emo-S2S"),
        case("HRED"),
        case("Emo-HRED"),
    ],
)
def test_a_run_on_a_gpu(ran: Callable[[Any], Any], case: dict[str, str]) -> None:
    done = ran(case)
    assert done["facts"]["device"] == "cuda (pretended)"
    assert set(done["facts"]["precision"].values()) == {case["precision"]}
    assert done["threads"] == ["MainThread"]
    waits = done["waits"]
    assert set(waits) <= set(WAITS_OF_STEPS) | WAITS_BESIDE_STEPS
    assert done["steps"] <= waits["item in parallel.set_gradients"]
    if case["system"] in ("HRED", "Emo-HRED", "EmpG"):  # neither decoding nor flat contexts
        assert {name for name in waits if name in WAITS_OF_STEPS} == set(LIKELIHOOD)
    if case["precision"] == "fp32":
        assert_alike(done["gpu"], done["cpu"])


def test_mistakes_are_found(ran: Callable[[Any], Any]) -> None:
    said = ran(values("EmpGAN"))["mistakes"]
    assert "over two devices" in said["mixed"]
    assert "over two devices" in said["index"]
    assert "cuda" in said["numpy"].lower() or "numpy" in said["numpy"].lower()
    assert "float16 by cuDNN" in said["autocast"]
    assert "without training mode" in said["evaluation"]
    assert "contiguous" in said["state"]
