"""Memory on the GPU holds what memory on the host does, whoever comes and goes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empgan_rt.backends.onnxruntime.state import OrtState
from empgan_rt.backends.tensorrt.cuda_device import CudaDevice
from empgan_rt.backends.tensorrt.device_tensor import Transfers
from empgan_rt.backends.tensorrt.state import TrtState
from empgan_rt.errors import ProviderError
from empgan_rt.graph_spec import STRUCK
from support.pretended.cuda_runtime import CudaRuntime

WIDTH = 3


def encoded(rows: int, positions: int, seed: int) -> dict[str, np.ndarray]:
    """Return what a context encoder may return for dialogues of one to `positions` turns."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(1, positions + 1, rows)
    read = np.arange(positions) < lengths[:, None]

    def floats(*shape: int) -> np.ndarray:
        return draw.standard_normal(shape).astype(np.float32)

    return {
        "values": floats(rows, positions, WIDTH),
        "keys": floats(rows, positions, WIDTH),
        "mask": np.where(read, 0, STRUCK).astype(np.float32),
        "hidden": floats(rows, WIDTH),
    }


def uploaded(fresh: dict[str, np.ndarray], copies: Transfers) -> dict[str, object]:
    """Return the same with the memory where an engine would leave it."""
    return {**fresh, **copies.up({name: fresh[name] for name in ("values", "keys")})}


def check(state: TrtState, wanted: OrtState) -> None:
    names = ("hidden", "values", "keys", "mask")
    found = state.transfers.down({name: getattr(state, name) for name in names})
    assert state.rows == wanted.hidden.shape[:2]
    np.testing.assert_array_equal(found["mask"], wanted.mask)
    np.testing.assert_array_equal(found["hidden"], wanted.hidden)
    read = wanted.mask == 0
    for name in ("values", "keys"):
        assert np.isfinite(found[name]).all()  # also where nothing is read
        np.testing.assert_array_equal(found[name][read], getattr(wanted, name)[read])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_it_is_what_the_host_would_hold(data: st.DataObject) -> None:
    copies = Transfers(CudaDevice(CudaRuntime()))
    slots, beams = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    state, wanted = (
        TrtState.empty(copies, slots, beams, WIDTH),
        OrtState.empty(slots, beams, WIDTH),
    )
    check(state, wanted)
    for seed in range(data.draw(st.integers(1, 6))):
        order = data.draw(st.permutations(range(slots)))
        if data.draw(st.booleans()):
            chosen = np.array(order[: data.draw(st.integers(1, slots))], np.int32)
            fresh = encoded(len(chosen), data.draw(st.integers(1, 5)), seed)
            state.put(chosen, uploaded(fresh, copies))
            wanted.put(chosen, fresh)
        else:
            kept = np.array(order[: data.draw(st.integers(0, slots))], np.int32)
            slots = data.draw(st.integers(max(1, len(kept)), 5))
            state, wanted = state.rearranged(kept, slots), wanted.rearranged(kept, slots)
        check(state, wanted)


def test_without_memory_for_newcomers_the_others_are_as_they_were() -> None:
    cuda = CudaRuntime(memory=60_000)
    copies = Transfers(CudaDevice(cuda))
    state, wanted = TrtState.empty(copies, 2, 1, WIDTH), OrtState.empty(2, 1, WIDTH)
    first = encoded(1, 3, seed=0)
    for one, fresh in ((state, uploaded(first, copies)), (wanted, first)):
        one.put(np.array([1], np.int32), fresh)
    long = encoded(1, 900, seed=1)
    long["mask"][:] = 0
    big = uploaded(long, copies)
    with pytest.raises(ProviderError, match="memory is full"):
        state.put(np.array([0], np.int32), big)
    check(state, wanted)
    with pytest.raises(ProviderError, match="memory is full"):
        state.rearranged(np.array([1], np.int32), 4000)
    check(state, wanted)
