"""What only a GPU can show: engines load and compute what ONNX Runtime does on the CPU.

python -m pytest -m gpu tests/runtime/backends/tensorrt/test_on_gpu.py
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from empgan_rt.backends.cache import EngineCache
from empgan_rt.backends.tensorrt.backend import TrtBackend
from empgan_rt.backends.tensorrt.engines import EngineRoom, requests
from empgan_rt.backends.tensorrt.log import logger
from empgan_rt.backends.tensorrt.machine import Machine, import_cuda, version_of
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.cli.engines import build_all
from empgan_rt.config import SearchConfig
from empgan_rt.inference.responder import Responder
from empgan_rt.verification import parity
from gpu.engines import require

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]

VARIANTS = sorted(Bundle.open("tiny").manifest.variants)
DIALOGUES = [
    ["I lost my job today."],
    ["Hello!", "Hi, how are you?", "I am so happy, we won the match!"],
    ["My dog died.", "Oh no.", "He was so old.", "I am sorry.", "Thank you. It hurts."],
    ["Are you there?", "Yes.", "Good."],
]
SEARCHES = [
    SearchConfig(),
    SearchConfig(beam_size=1),
    SearchConfig(repetition_penalty=1.3),
    SearchConfig(sample=True, seed=3),
]
SLACK_BYTES = 32 << 20  # other programs may use the GPU


@pytest.fixture(scope="module")
def machine() -> Machine:
    require("tensorrt", "cuda")
    return Machine.here()


def test_engines_load(
    machine: Machine, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bundle = Bundle.open("tiny")
    room = EngineRoom(bundle, machine, EngineCache(tmp_path))
    start = time.perf_counter()
    built = build_all(room, requests(bundle))
    mib = sum(len(found.plan) for found in built) / 2**20
    gpu = machine.gpu
    on = f"{version_of(machine.trt)} on {gpu.name} ({gpu.compute_capability}), driver {gpu.driver}"
    told = {"step": "built", "result": f"{len(built)} engines, {mib:.1f} MiB by {on}"}
    record_property("figures", told | {"s": round(time.perf_counter() - start, 2)})
    runtime = machine.trt.Runtime(logger(machine.trt))
    assert not runtime.engine_host_code_allowed
    for found in build_all(room, requests(bundle)):
        assert found.cached
        engine = runtime.deserialize_cuda_engine(found.plan)
        assert engine is not None
        names = {engine.get_tensor_name(i) for i in range(engine.num_io_tensors)}
        inputs, outputs = ({t.name for t in ts} for ts in (found.spec.inputs, found.spec.outputs))
        assert outputs <= names <= inputs | outputs  # not every input is read
        assert engine.num_optimization_profiles == len(found.profiles)


@pytest.fixture(scope="module")
def home(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the engines of this module's tests."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(autouse=True)
def _cached(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))


def on_gpu() -> Responder:
    return Responder.load("tiny", backend="tensorrt", device="cuda")


def free_bytes() -> int:
    gc.collect()
    error, free, _ = import_cuda().cudaMemGetInfo()
    assert error == import_cuda().cudaError_t.cudaSuccess
    return int(free)


@pytest.mark.parametrize("captures", [False, True])
@pytest.mark.parametrize("precision", VARIANTS)
def test_goldens_are_met(
    precision: str, captures: bool, record_property: Callable[[str, object], None]
) -> None:
    bundle, start = Bundle.open("tiny"), time.perf_counter()
    backend = TrtBackend(bundle, precision=precision, captures=captures)
    atol = bundle.manifest.variants[precision].atol
    deviation = parity.replay(backend, bundle.goldens(precision), atol)
    how = f"executed in {precision}, {'captured steps' if captures else 'one by one'}"
    gaps = ", ".join(f"{name} off by {gap:.2e}" for name, gap in deviation.max_abs.items())
    told = {"step": how, "result": f"{gaps}; at most {atol:.0e}"}
    record_property("figures", told | {"s": round(time.perf_counter() - start, 2)})
    parity.check(deviation, atol)
    backend.close()


@pytest.mark.parametrize("search", SEARCHES)
def test_replies_are_those_of_the_cpu(search: SearchConfig) -> None:
    with on_gpu() as responder, Responder.load("tiny") as other:
        for dialogue in DIALOGUES:
            found, wanted = responder.reply(dialogue, search), other.reply(dialogue, search)
            assert found.text == wanted.text
            assert found.score == pytest.approx(wanted.score, abs=1e-3)


def test_company_changes_nobodys_reply() -> None:
    """Dialogues come and go in lanes of 1 and 5 beams; 80 of them do not fit into one batch."""
    pairs = [(d, s) for d in DIALOGUES for s in SEARCHES] * 5
    dialogues, searches = [d for d, _ in pairs], [s for _, s in pairs]
    with on_gpu() as responder, Responder.load("tiny") as other:
        found = responder.reply_batch(dialogues, searches)
        wanted = other.reply_batch(dialogues, searches)
    assert [reply.text for reply in found] == [reply.text for reply in wanted]


def test_memory_does_not_grow_and_is_given_back() -> None:
    on_gpu().close()  # what CUDA and TensorRT keep for good is there now
    before = free_bytes()
    with on_gpu() as responder:
        responder.reply_batch(DIALOGUES * 10)
        settled = free_bytes()
        for _ in range(20):
            responder.reply_batch(DIALOGUES * 10)
        assert free_bytes() >= settled - SLACK_BYTES
    assert free_bytes() >= before - SLACK_BYTES
