"""The rule that no n-gram comes twice in a reply, for all beams at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..graph_spec import PAD, IntArray


def completions(
    sequences: IntArray,
    lengths: npt.NDArray[np.int64],
    size: int,
    slots: npt.NDArray[np.bool_] | None,
    *,
    together: bool = False,
) -> IntArray | None:
    """Return the tokens that would complete an n-gram which the same beam already holds.

    Args:
        sequences: (B, K, T) tokens so far, PAD from `lengths` on; T is the greatest length.
        lengths: (B,) tokens so far.
        size: n, at least 1.
        slots: (B, 1, 1) where the rule holds; None for everywhere.
        together: whether all lengths are T, which saves looking for where each row ends; empty
            slots may have less.

    Returns:
        (B, K, S) int32 padded with PAD, S as small as can be; None if there is no such token.

    With n = 2, the beam `7 8 9 7` gives 8.
    """
    total = sequences.shape[2]
    if total < size:
        return None
    count = total - size + 1  # windows of n tokens
    last = sequences[:, :, size - 1 :]  # (B, K, count) what each window ends in
    if size == 1:
        matches = last != PAD
    else:
        if together:
            suffix = sequences[:, :, count:]  # (B, K, n-1) the newest tokens
        else:
            # A slot shorter than n wraps around here; its windows all end in PAD, which bans
            # nothing.
            recent = lengths[:, None] + np.arange(1 - size, 0)  # (B, n-1) places
            suffix = sequences[np.arange(len(lengths))[:, None], :, recent].transpose(0, 2, 1)
        place = size - 2  # of the newest one, which seldom came before
        matches = sequences[:, :, place : place + count] == suffix[:, :, place, None]
        if not np.count_nonzero(matches):
            return None
        for place in range(size - 2):
            matches &= sequences[:, :, place : place + count] == suffix[:, :, place, None]
    if slots is not None:
        matches &= slots
    if not np.count_nonzero(matches):
        return None
    found: IntArray = np.where(matches, last, np.int32(PAD))
    most = int(np.count_nonzero(found, axis=2).max())
    found.sort(axis=2)  # PAD is the lowest id, so the tokens gather at the end
    return found[:, :, count - most :] if most else None
