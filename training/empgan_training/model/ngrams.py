"""Words and pairs of words as rows of one table, by a hash of their ids.

With N buckets, word b has row 40503 b mod N, and b after a has row (25173 a + 40503 b) mod N,
computed in 64 bits. The first word of a turn comes after SOS. Both factors are odd: where N is a
power of two that no word id reaches, no two words share a row, and padding (id 0) has row 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from empgan_rt.graph_spec import PAD, SOS

_BEFORE, _WORD = 25173, 40503


def ngram_rows(ids: Tensor, buckets: int) -> Tensor:
    """Return rows (R, 2 L) of (R, L) right-padded ids: of each word, then of each pair.

    Args:
        buckets: N; the rows are from 0 to N - 1, and 0 where a word is padding.
    """
    ids = ids.long()
    start = torch.full_like(ids[:, :1], SOS)
    before = torch.cat([start, ids[:, :-1]], dim=1)  # no `pad`: CUDA has no kernel for integers
    words = ids * _WORD
    rows = torch.cat([words, words + before * _BEFORE], dim=1) % buckets
    return torch.where(torch.cat([ids, ids], dim=1) == PAD, PAD, rows)
