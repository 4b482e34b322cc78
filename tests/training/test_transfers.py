"""Arrays cross in one tensor and come out as they went in."""

from __future__ import annotations

import numpy as np
import torch

from empgan_training.transfers import Parcel, sent, unpacked


def test_arrays_lie_one_behind_the_other_each_where_kernels_like_it() -> None:
    draw = np.random.default_rng(0)
    shapes = [(3, 5), (1, 1), (2, 3, 7), (4,)]
    arrays = [draw.integers(0, 99, shape).astype(np.int32) for shape in shapes]
    parcel = Parcel(shapes)
    for dtype in (torch.int32, torch.int64):
        whole = torch.full((parcel.size,), -1, dtype=dtype)
        parcel.fill(whole, [array[..., ::-1] for array in arrays])
        for part, array in zip(parcel.parts(whole), arrays, strict=True):
            np.testing.assert_array_equal(part.numpy(), array[..., ::-1])
            assert part.is_contiguous()
            assert part.storage_offset() * part.element_size() % 16 == 0
    assert parcel.size == 16 + 4 + 44 + 4


def test_candidates_keep_every_bit() -> None:
    ids = torch.arange(12, dtype=torch.int32).view(1, 3, 4)
    log_probs = -torch.rand(1, 3, 4) * 1e4
    found = unpacked(torch.stack([ids, log_probs.view(torch.int32)]))
    np.testing.assert_array_equal(found.token_ids, ids.numpy())
    np.testing.assert_array_equal(found.log_probs, log_probs.numpy())
    assert (found.token_ids.dtype, found.log_probs.dtype) == (np.int32, np.float32)


def test_on_the_cpu_arrays_are_copied_one_by_one() -> None:
    array = np.ones((2, 3), np.int32)
    (tensor,) = sent([array], torch.device("cpu"))
    array[:] = 5
    assert tensor.tolist() == [[1, 1, 1], [1, 1, 1]]
