"""What is not padding, taken out of a batch and put back, with gradients that cost one pass.

Indexing (`padded[places]`) would do the same, but its gradient adds number by number.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def taken(padded: Tensor, places: Tensor) -> Tensor:
    """Return the vectors (N, W) at places (N,) in R * T of (R, T, W)."""
    return functional.embedding(places, padded.flatten(0, 1))


def put_back(vectors: Tensor, places: Tensor, rows: int, steps: int) -> Tensor:
    """Return (rows, steps, W) with vectors (N, W) at unlike places (N,), and zeros elsewhere."""
    padded = vectors.new_zeros(rows * steps, vectors.shape[1])
    return padded.index_copy(0, places, vectors).view(rows, steps, -1)
