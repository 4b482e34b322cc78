"""Events of a stream, on the stand-ins for TensorRT and CUDA."""

from __future__ import annotations

import pytest

from empgan_bench.engines.base import Engine
from empgan_bench.engines.cuda.clock import EventClock, stream_clock
from empgan_bench.engines.cuda.engines import open_tensorrt, open_tensorrt_int8
from empgan_bench.measuring.workload import load_workload
from empgan_bench.workers.worker import measure
from empgan_rt.backends.tensorrt.cuda_device import CudaDevice
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.errors import ProviderError
from runtime.backends.conftest import Fakes, fakes
from support.pretended.cuda_runtime import CudaRuntime

__all__ = ["fakes"]  # a fixture


def put(cuda: CudaRuntime, device: CudaDevice, pieces: int) -> None:
    """Put pieces of work of 1 ms into the stream."""
    for _ in range(pieces):
        assert cuda.put(device.handle, lambda: None)


def test_each_stretch_is_timed_when_the_gpu_gets_there() -> None:
    cuda = CudaRuntime()
    device = CudaDevice(cuda)
    clock = stream_clock(device)
    for done in (0.0, 105.0, 210.0):
        for pieces in (2, 3):
            clock.start()
            put(cuda, device, pieces)
            clock.stop()
            put(cuda, device, 50)
        assert cuda.now_ms == done  # nothing has been waited for
        assert clock.read() == [2.0, 3.0]
    assert clock.read() == []
    assert len(cuda.events) == 4  # which are used again
    device.close()


def test_a_gpu_that_fails_is_an_error_of_ours() -> None:
    cuda = CudaRuntime()
    clock = stream_clock(CudaDevice(cuda))
    clock.start()
    cuda.lost = True
    with pytest.raises(ProviderError, match="lost to this process"):
        clock.stop()


@pytest.mark.parametrize("opener", [open_tensorrt, open_tensorrt_int8])
def test_tensorrt_is_timed_in_its_own_stream(fakes: Fakes, opener: object) -> None:
    assert callable(opener)
    engine = opener("tiny", 1)
    assert isinstance(engine, Engine)
    assert isinstance(engine.clock, EventClock)
    bundle = Bundle.open("tiny")
    inputs = load_workload(None, bundle.featurizer()).batches(2, 0)[0]
    timing = measure(engine, inputs, SearchConfig(beam_size=2, max_length=4)).timing
    assert timing.steps == 4
    assert timing.device_encode_ms is not None
    assert timing.device_step_ms is not None
    assert timing.device_encode_ms >= 3  # ids up, two graphs, what the host reads down
    assert timing.device_step_ms >= 3 * timing.steps
    assert len(fakes.cuda.events) == 2 * (1 + timing.steps)
    engine.backend.close()
