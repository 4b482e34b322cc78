"""What only a GPU can show: engines of PyTorch write eager's replies there, and are timed there.

python -m pytest -m gpu tests/bench/engines/cuda/test_on_gpu.py
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from empgan_bench.engines.base import Engine, resolve
from empgan_bench.engines.cuda import torch as torch_engines
from empgan_bench.engines.cuda.floor import CudaFloor
from empgan_bench.engines.cuda.graphs import GraphBackend
from empgan_bench.engines.cuda.torch import stream_clock
from empgan_bench.engines.table import ENGINES
from empgan_bench.measuring.workload import Workload, load_workload
from empgan_bench.workers.worker import measure
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.inference.responder import Responder
from empgan_training.eager import EagerBackend, fetched, sent

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU"),
    # PyTorch's compiler warns of its own code, and that TF32 is off.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]

EXACT = ("compile", "cuda-graphs")
ROUNDED = ("eager-bf16", "eager-fp16")
DIALOGUES = [["I lost my keys today."], ["Hello!", "Hi.", "My cat is ill."], ["I won the race!"]]


@pytest.fixture(scope="module")
def workload() -> Workload:
    return load_workload(None, Bundle.open("tiny").featurizer())


@pytest.fixture(scope="module")
def eager() -> Engine:
    return torch_engines.open_eager("tiny", 1)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    found = resolve(ENGINES["cuda"][request.param])("tiny", 1)
    assert isinstance(found, Engine)
    yield found
    found.backend.close()


def replies(engine: Engine, workload: Workload, batch: int, search: SearchConfig) -> list[Any]:
    batches = workload.batches(batch, 1)[:3]
    return [reply for b in batches for reply in measure(engine, b, search).replies]


def test_the_reference_writes_what_it_does_on_the_cpu(eager: Engine, workload: Workload) -> None:
    on_cpu = resolve(ENGINES["cpu"]["eager"])("tiny", 1)
    assert isinstance(on_cpu, Engine)
    for beams in (1, 5):
        search = SearchConfig(beam_size=beams)
        assert replies(eager, workload, 8, search) == replies(on_cpu, workload, 8, search)


@pytest.mark.parametrize("engine", EXACT, indirect=True)
def test_replies_are_eagers(engine: Engine, eager: Engine, workload: Workload) -> None:
    for batch in (1, 3, 8):
        for beams in (1, 5):
            search = SearchConfig(beam_size=beams)
            for _ in range(2):  # captured, then replayed
                found = replies(engine, workload, batch, search)
                assert found == replies(eager, workload, batch, search)


@pytest.mark.parametrize("engine", ROUNDED, indirect=True)
def test_rounded_replies_are_mostly_eagers(
    engine: Engine, eager: Engine, workload: Workload
) -> None:
    search = SearchConfig(beam_size=5)
    pairs = zip(
        replies(engine, workload, 8, search), replies(eager, workload, 8, search), strict=True
    )
    assert sum(found == wanted for found, wanted in pairs) >= 12


@pytest.mark.parametrize("engine", ["eager", *EXACT], indirect=True)
def test_requests_come_and_go(engine: Engine) -> None:
    bundle = Bundle.open("tiny")
    with Responder.load("tiny", device="cpu", max_running=2) as other:
        wanted = [reply.text for reply in other.reply_batch(DIALOGUES * 3)]
    responder = Responder(bundle, engine.backend, max_running=2)
    assert [reply.text for reply in responder.reply_batch(DIALOGUES * 3)] == wanted


def test_a_step_is_captured_once_for_its_shape_and_leaves_the_state_alone() -> None:
    backend = torch_engines.open_cuda_graphs("tiny", 1).backend
    assert isinstance(backend, GraphBackend)
    bundle = Bundle.open("tiny")
    inputs = load_workload(None, bundle.featurizer()).batches(2, 0)[0]
    state = backend.open(2, 3)
    backend.admit(state, np.arange(2, dtype=np.int32), backend.encode(inputs))
    for name in ("hidden", "keys", "values", "mask"):
        assert getattr(state, name).is_cuda
    before = state.hidden.clone()
    ids = np.full((2, 3), 5, np.int32)
    backend.step(state, ids, ids * 0, ids[..., None] * 0, 4)
    assert not torch.equal(state.hidden, before)
    allocated = torch.cuda.memory_allocated()
    address = state.hidden.data_ptr()
    for _ in range(50):
        backend.step(state, ids, ids * 0, ids[..., None] * 0, 4)
    assert state.hidden.data_ptr() == address
    assert torch.cuda.memory_allocated() == allocated
    assert state.memory is not None
    assert len(state.memory.steps) == 1


def test_ids_and_candidates_cross_whole() -> None:
    draw = np.random.default_rng(0)
    arrays = [draw.integers(0, 99, shape).astype(np.int32) for shape in ((3, 5), (2, 3, 7))]
    for part, array in zip(sent(arrays, torch.device("cuda")), arrays, strict=True):
        assert part.is_cuda
        np.testing.assert_array_equal(part.cpu().numpy(), array)
    ids, log_probs = torch.arange(12, dtype=torch.int32).view(1, 3, 4), -torch.rand(1, 3, 4)
    found = fetched(ids.cuda(), log_probs.cuda())
    np.testing.assert_array_equal(found.token_ids, ids.numpy())
    np.testing.assert_array_equal(found.log_probs, log_probs.numpy())


@pytest.mark.usefixtures("eager")
def test_float32_recurrences_are_float32() -> None:
    torch.manual_seed(0)
    gru, words = torch.nn.GRU(512, 512, batch_first=True), torch.randn(8, 20, 512)
    with torch.inference_mode():
        wanted, _ = gru.double()(words.double())
        found, _ = gru.float().cuda()(words.cuda())
    assert (found.cpu().double() - wanted).abs().max() < 1e-5  # TF32: some 1e-3


def test_the_clock_sees_the_gpus_time_and_no_more() -> None:
    clock = stream_clock()
    matrix = torch.randn(4096, 4096, device="cuda")
    for _ in range(2):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(3):
            clock.start()
            matrix @ matrix
            clock.stop()
        spans = clock.read()
        wall_ms = (time.perf_counter() - start) * 1e3
        assert len(spans) == 3
        assert all(ms > 0 for ms in spans)
        assert sum(spans) < wall_ms


@pytest.mark.parametrize("opener", [torch_engines.open_floor, torch_engines.open_floor_fp16])
def test_the_floor_has_a_time(opener: Any, workload: Workload) -> None:
    floor = opener("tiny", 1)
    assert isinstance(floor, CudaFloor)
    for batch in (1, 8):
        inputs = workload.batches(batch, 1)[0]
        prepared = floor.prepared(inputs, SearchConfig(beam_size=5, min_length=9, max_length=9))
        for _ in range(3):
            timing = prepared.run()
            assert timing.encode_ms > 0
            assert timing.step_ms > 0
            assert timing.total_ms == pytest.approx(timing.encode_ms + timing.step_ms)


def test_eager_takes_its_weights_as_they_are() -> None:
    backend = torch_engines.open_eager("tiny", 1).backend
    assert isinstance(backend, EagerBackend)
    assert backend.device == "cuda"
    assert backend.dtype == torch.float32
