"""The rule that no banned phrase comes in a reply, for the rows of a step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..graph_spec import PAD, IntArray
from ..text.bans import Bans


def phrase_ends(
    sequences: IntArray, lengths: npt.NDArray[np.int64], bans: Sequence[tuple[int, Bans]]
) -> IntArray | None:
    """Return the tokens that would complete a banned phrase of their row's slot.

    Args:
        sequences: (B, K, T) tokens so far, PAD from `lengths` on; T is the greatest length.
        lengths: (B,) tokens so far.
        bans: slots and what they ban.

    Returns:
        (B, K, S) int32 padded with PAD, S as small as can be; None if there is no such token.
    """
    found: dict[tuple[int, int], list[int]] = {}
    for slot, own in bans:
        length = int(lengths[slot])
        if not length:
            continue
        for row, newest in enumerate(sequences[slot, :, length - 1].tolist()):
            ends = own.ends.get(newest)  # of few tokens: the others cost no more than this
            if ends is not None:
                tokens = sequences[slot, row, :length].tolist() if ends.longer else ()
                if ids := ends.after(tokens):
                    found[slot, row] = ids
    if not found:
        return None
    struck = np.full((*sequences.shape[:2], max(map(len, found.values()))), PAD, np.int32)
    for (slot, row), ids in found.items():
        struck[slot, row, : len(ids)] = ids
    return struck
