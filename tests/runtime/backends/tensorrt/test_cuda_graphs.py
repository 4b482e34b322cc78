"""Runs are captured after one plain run, told apart by addresses, and thrown away when told to."""

from __future__ import annotations

import pytest

from empgan_rt.backends.tensorrt.cuda_device import CudaDevice
from empgan_rt.backends.tensorrt.cuda_graphs import MOST, CudaGraphs
from support.pretended.cuda_runtime import CudaRuntime


class _Work:
    """Something to enqueue, which counts how often it was done."""

    def __init__(self, device: CudaDevice) -> None:
        self.device, self.enqueued, self.done = device, 0, 0

    def __call__(self) -> bool:
        self.enqueued += 1

        def work() -> None:
            self.done += 1

        put: bool = self.device.cuda.put(self.device.handle, work)
        return put


@pytest.fixture
def device() -> CudaDevice:
    return CudaDevice(CudaRuntime())


def test_plain_then_captured_then_replayed(device: CudaDevice) -> None:
    graphs, work = CudaGraphs(device), _Work(device)
    for done in range(1, 5):
        assert graphs.run((1, 2), work)
        device.synchronise()
        assert work.done == done
    assert work.enqueued == 2  # once plainly, once to be captured
    assert [c for c in device.cuda.calls if c != "synchronize"] == [
        "begin capture",
        "end capture",
        *["launch"] * 3,
    ]


def test_two_buffers_have_a_graph_each(device: CudaDevice) -> None:
    graphs = CudaGraphs(device)
    works = {addresses: _Work(device) for addresses in ((1, 2), (2, 1))}
    for addresses in [(1, 2), (2, 1)] * 4:
        assert graphs.run(addresses, works[addresses])
    device.synchronise()
    assert [work.done for work in works.values()] == [4, 4]
    assert len(device.cuda.graphs) == 2


def test_what_was_captured_is_thrown_away(device: CudaDevice) -> None:
    graphs, work = CudaGraphs(device), _Work(device)
    for _ in range(3):
        graphs.run((1,), work)
    graphs.clear()
    assert not device.cuda.graphs
    device.cuda.calls.clear()
    graphs.run((1,), work)
    assert device.cuda.calls == []  # plainly again


def test_the_oldest_of_many_goes(device: CudaDevice) -> None:
    graphs, work = CudaGraphs(device), _Work(device)
    for place in range(MOST + 4):
        graphs.run((place,), work)
        graphs.run((0,), work)  # is used, and stays
    assert len(device.cuda.graphs) == MOST
    device.cuda.calls.clear()
    graphs.run((0,), work)
    assert device.cuda.calls == ["launch"]


def test_where_nothing_can_be_captured_all_runs_are_plain(
    device: CudaDevice, caplog: pytest.LogCaptureFixture
) -> None:
    device.cuda.uncapturable = True
    graphs, work = CudaGraphs(device), _Work(device)
    for _ in range(5):
        assert graphs.run((1,), work)
    device.synchronise()
    assert work.done == 5
    assert device.cuda.calls.count("begin capture") == 1
    assert "not captured" in caplog.text


def test_a_capture_ends_whatever_happens(device: CudaDevice) -> None:
    graphs = CudaGraphs(device)
    graphs.run((1,), _Work(device))

    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        graphs.run((1,), interrupted)
    assert device.cuda.calls[-1] == "end capture"
    assert graphs.run((1,), _Work(device))


def test_a_run_that_cannot_be_enqueued_is_no_plain_run(device: CudaDevice) -> None:
    graphs, work = CudaGraphs(device), _Work(device)
    assert not graphs.run((1,), lambda: False)
    graphs.run((1,), work)
    assert device.cuda.calls == []
