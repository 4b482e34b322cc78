"""Memory is used again and freed for certain; what CUDA refuses has a reason and a mend."""

from __future__ import annotations

import gc
import os
import threading

import pytest

from empgan_rt.backends.tensorrt.cuda_device import CudaDevice
from empgan_rt.errors import InputError, ProviderError
from support.pretended.cuda_runtime import CudaRuntime


def test_memory_that_nobody_holds_is_used_again() -> None:
    cuda = CudaRuntime()
    device = CudaDevice(cuda)
    first = device.take(1000)
    assert first.size == 1024
    assert first.address % 256 == 0
    other = device.take(600)
    assert other.address != first.address
    address = first.address
    del first
    assert device.take(513).address == address
    assert len(cuda.allocated) == 2
    assert device.take(0).size == 512


def test_everything_is_freed_at_close_whoever_holds_it() -> None:
    cuda = CudaRuntime()
    device = CudaDevice(cuda)
    held = [device.take(size) for size in (1, 5000)]
    device.take_pinned(100)
    device.close()
    assert cuda.left == (0, 0, 0)
    device.close()  # of no consequence
    del held
    with pytest.raises(InputError, match="the backend is closed"):
        device.ready()


def test_a_forgotten_device_is_freed_too() -> None:
    cuda = CudaRuntime()
    device = CudaDevice(cuda)
    device.take(1)
    del device
    gc.collect()
    assert cuda.left == (0, 0, 0)


def test_a_forked_child_frees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = CudaRuntime()
    device = CudaDevice(cuda)
    device.take(1)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(ProviderError, match="before this process was forked"):
        device.ready()
    device.close()
    assert cuda.left == (1, 1, 0)


def test_idle_memory_is_given_back_before_memory_counts_as_full() -> None:
    cuda = CudaRuntime(memory=3500)
    device = CudaDevice(cuda)
    small = [device.take(512) for _ in range(4)]
    kept = small.pop()
    small.clear()
    assert device.take(2048).size == 2048
    assert kept.address in cuda.allocated
    assert len(cuda.allocated) == 2


def test_full_memory_is_told_with_a_mend_and_the_device_goes_on() -> None:
    cuda = CudaRuntime(memory=4096)
    device = CudaDevice(cuda)
    with pytest.raises(ProviderError, match="memory is full") as raised:
        device.take(8192)
    assert "smaller batches" in raised.value.hint
    device.ready()
    assert device.take(4096).size == 4096


def test_a_lost_device_is_told_from_then_on() -> None:
    cuda = CudaRuntime()
    device = CudaDevice(cuda)
    cuda.lost = True
    with pytest.raises(ProviderError, match=r"the GPU is lost .*IllegalAddress") as raised:
        device.synchronise()
    assert "start the process again" in raised.value.hint
    cuda.lost = False  # it does not come back for us
    with pytest.raises(ProviderError, match="the GPU is lost"):
        device.ready()
    cuda.lost = True
    device.close()


def test_a_refused_call_names_the_error_and_loses_nothing() -> None:
    cuda = CudaRuntime()
    device = CudaDevice(cuda)
    error = cuda.cudaError_t.cudaErrorInvalidValue
    with pytest.raises(ProviderError, match="CUDA refused a call: cudaErrorInvalidValue"):
        device.result((error,))
    device.ready()


def test_every_thread_uses_the_gpu_of_the_first() -> None:
    cuda = CudaRuntime()
    cuda.device = 1
    device = CudaDevice(cuda)
    cuda.device = 0  # as a new thread of CUDA's would have it
    thread = threading.Thread(target=device.ready)
    thread.start()
    thread.join()
    assert cuda.device == 1
