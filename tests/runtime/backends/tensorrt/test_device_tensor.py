"""Arrays go up and down whole, and rows to where they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empgan_rt.backends.tensorrt.cuda_device import CudaDevice
from empgan_rt.backends.tensorrt.device_tensor import DeviceTensor, Transfers
from support.pretended.cuda_runtime import CudaRuntime


def transfers() -> Transfers:
    return Transfers(CudaDevice(CudaRuntime()))


def numbers(*shape: int, start: int = 0) -> np.ndarray:
    return (np.arange(np.prod(shape)) + start).reshape(shape).astype(np.float32)


def back(tensor: DeviceTensor, copies: Transfers) -> np.ndarray:
    return copies.down({"": tensor})[""]


def test_arrays_go_up_in_one_copy_and_come_back() -> None:
    copies = transfers()
    sent = {"a": numbers(3, 5), "b": np.array([7], np.int32), "c": numbers(2, 3, 4)[:, ::2]}
    tensors = copies.up(sent)
    assert copies.device.cuda.calls.count("cudaMemcpyHostToDevice") == 1
    assert all(tensor.address % 256 == 0 for tensor in tensors.values())
    sent["a"][:] = -1  # may be changed at once
    found = copies.down(tensors)
    np.testing.assert_array_equal(found["a"], numbers(3, 5))
    np.testing.assert_array_equal(found["b"], [7])
    np.testing.assert_array_equal(found["c"], sent["c"])
    assert [found[name].dtype for name in "abc"] == [np.float32, np.int32, np.float32]


def test_what_came_down_is_not_written_again() -> None:
    copies = transfers()
    first = back(copies.up({"": numbers(4)})[""], copies)
    back(copies.up({"": numbers(4, start=9)})[""], copies)
    np.testing.assert_array_equal(first, numbers(4))


def test_copies_in_flight_keep_what_they_read() -> None:
    """Pinned memory is written again only when no copy needs it, however much is sent."""
    copies = transfers()
    tensors = [copies.up({"": numbers(9000, start=i)})[""] for i in range(20)]
    for i, tensor in enumerate(tensors):
        np.testing.assert_array_equal(back(tensor, copies), numbers(9000, start=i))


def test_zeros_are_zeros_and_rows_share_memory() -> None:
    copies = transfers()
    zeros = copies.zeros((4, 3))
    copies.rows(
        zeros.rows(slice(1, 3)), np.arange(2), copies.up({"": numbers(2, 3)})[""], np.arange(2)
    )
    wanted = np.zeros((4, 3))
    wanted[1:3] = numbers(2, 3)
    np.testing.assert_array_equal(back(zeros, copies), wanted)


def test_rows_that_lie_askew_are_copied_to_where_tensorrt_takes_them() -> None:
    copies = transfers()
    whole = copies.up({"": numbers(6, 7)})[""]
    assert copies.aligned(whole) is whole
    part = whole.rows(slice(2, 5))
    assert part.address % 256
    straight = copies.aligned(part)
    assert straight.address % 256 == 0
    np.testing.assert_array_equal(back(straight, copies), numbers(6, 7)[2:5])


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_rows_are_copied_as_numpy_would(data: st.DataObject) -> None:
    copies = transfers()
    (old, wide), (new, narrow) = (
        data.draw(st.tuples(st.integers(1, 6), st.integers(1, 4))) for _ in range(2)
    )
    count = data.draw(st.integers(0, old))
    places = np.array(data.draw(st.permutations(range(old)))[:count], np.int32)
    chosen = np.array(data.draw(st.lists(st.integers(0, new - 1), min_size=count, max_size=count)))
    target, source = numbers(old, wide, 2), numbers(new, narrow, 2, start=100)
    tensors = copies.up({"target": target, "source": source})
    copies.rows(tensors["target"], places, tensors["source"], chosen)
    shared = min(wide, narrow)
    if count:
        target[places, :shared] = source[chosen, :shared]
    np.testing.assert_array_equal(back(tensors["target"], copies), target)


def test_neighbours_are_copied_at_once() -> None:
    copies = transfers()
    tensors = copies.up({"to": numbers(9, 2), "of": numbers(9, 2)})
    copies.device.cuda.calls.clear()
    places, chosen = np.array([2, 3, 4, 7, 8]), np.array([0, 1, 2, 3, 4])
    copies.rows(tensors["to"], places, tensors["of"], chosen)
    assert copies.device.cuda.calls == ["cudaMemcpyDeviceToDevice"] * 2


def test_whoever_reads_before_the_stream_is_done_reads_nonsense() -> None:
    """The stand-in can fail: without `synchronise` nothing has happened yet."""
    copies = transfers()
    tensor = copies.up({"": numbers(3)})[""]
    copies.synchronise = lambda: None
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(back(tensor, copies), numbers(3))
