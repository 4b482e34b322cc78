"""Empathetic attention, Eq. 3-5 of the paper (additive attention over the turns)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .additive_scores import additive_scores
from .padding import put_back, taken
from .products import Linear


class Readable(NamedTuple):
    """What B replies read, prepared once: parts of R memories.

    Attributes:
        keys: (R, M, H), W_s g.
        values: (R, M, W), which are averaged.
        mask: (B, M), 0 where a reply reads its memory, STRUCK elsewhere.
        row_of: (B,) which memory each reply reads; None if each has its own.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor
    row_of: Tensor | None = None

    def of_each(self) -> Readable:
        """Return the same with a memory of its own for each reply."""
        if self.row_of is None:
            return self
        return Readable(self.keys[self.row_of], self.values[self.row_of], self.mask)


class EmpatheticAttention(nn.Module):
    """Scores each turn's memory against the decoder's hidden state."""

    def __init__(self, memory_size: int, hidden_size: int) -> None:
        super().__init__()
        self.memory_projection = Linear(memory_size, hidden_size, bias=False)  # W_s
        self.hidden_projection = Linear(hidden_size, hidden_size, bias=False)  # W_d
        self.score = nn.Linear(hidden_size, 1, bias=False)  # z

    def keys(self, memory: Tensor) -> Tensor:
        """Return W_s g_i, (..., H), of memory (..., G), which no decoding step changes."""
        keys: Tensor = self.memory_projection(memory)
        return keys

    def forward(self, hidden: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Return the attended values, (B, K, W).

        Args:
            hidden: (B, K, H) decoder states, of K beams or of K time steps.
            keys: (B, M, H) from `keys`.
            values: (B, M, W) what is averaged.
            mask: (B, M), 0 for a turn and a large negative number for padding; scores and their
                softmax are in its type, if that is the wider one.
        """
        query = self.hidden_projection(hidden)
        energy = torch.tanh(keys.unsqueeze(1) + query.unsqueeze(2))  # (B, K, M, H)
        scores = self.score(energy).squeeze(-1) + mask.unsqueeze(1)  # Eq. 3
        return _averaged(scores, values)

    def of_replies(self, states: Tensor, lengths: Tensor, read: Readable) -> Tensor:
        """Return `forward` of given replies (B, T, W), zeros beyond the end of each on a CPU.

        Args:
            states: (B, T, H); lengths: (B,) steps of each that count, at least 1.
            read: what the B replies read.
        """
        if states.is_cuda:  # there, one large call costs less than many
            attended: Tensor = self(states, *read.of_each()[:3])
            return attended
        rows, steps, _ = states.shape
        places = (torch.arange(steps) < lengths.unsqueeze(1)).flatten().nonzero().squeeze(1)
        of = torch.arange(rows).repeat_interleave(lengths)
        return put_back(self.of_words(taken(states, places), of, read), places, rows, steps)

    def of_words(self, states: Tensor, of: Tensor, read: Readable) -> Tensor:
        """Return `forward` of single states (N, H), (N, W), of which many are of one reply.

        Args:
            states: (N, H), at least one.
            of: (N,) which of B replies each is of, ascending.
            read: what the B replies read.
        """
        keys, values, mask, row_of = read
        if states.is_cuda:
            row = of if row_of is None else row_of[of]
            attended: Tensor = self(states.unsqueeze(1), keys[row], values[row], mask[of])
            return attended.squeeze(1)
        positions = torch.arange(1, mask.shape[1] + 1)
        ends = ((mask == 0) * positions).amax(1).tolist()  # behind the last one that is read
        counts = torch.bincount(of, minlength=len(mask)).tolist()
        queries = torch.split(self.hidden_projection(states), counts)
        direction = self.score.weight[0]
        all_keys, all_values = keys.unbind(), values.unbind()
        rows = range(len(mask)) if row_of is None else row_of.tolist()
        parts = []
        for query, end, row, masked in zip(queries, ends, rows, mask, strict=True):
            if len(query):
                scores = additive_scores(query, all_keys[row][:end], direction) + masked[:end]
                parts.append(_averaged(scores, all_values[row][:end]))
        return torch.cat(parts)


def _averaged(scores: Tensor, values: Tensor) -> Tensor:
    """Return values (..., M, W) averaged by scores (..., T, M)."""
    weights = torch.softmax(scores, dim=-1)  # Eq. 4
    return weights.to(values.dtype) @ values  # Eq. 5, summed over the M turns
