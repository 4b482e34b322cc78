"""Empathetic attention, Eq. 3-5 of the paper (additive attention over the turns)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .additive_scores import additive_scores
from .padding import put_back, taken


class EmpatheticAttention(nn.Module):
    """Scores each turn's memory against the decoder's hidden state."""

    def __init__(self, memory_size: int, hidden_size: int) -> None:
        super().__init__()
        self.memory_projection = nn.Linear(memory_size, hidden_size, bias=False)  # W_s
        self.hidden_projection = nn.Linear(hidden_size, hidden_size, bias=False)  # W_d
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

    def of_replies(
        self, states: Tensor, lengths: Tensor, keys: Tensor, values: Tensor, mask: Tensor
    ) -> Tensor:
        """Return `forward` of whole replies, of no meaning behind their ends; padding costs little.

        Args:
            states: (B, T, H) decoder states of T time steps.
            lengths: (B,) steps of each reply.
            keys, values, mask: as in `forward`.
        """
        if states.is_cuda:  # there, one large call costs less than many
            attended: Tensor = self(states, keys, values, mask)
            return attended
        rows, steps, _ = states.shape
        places = (torch.arange(steps) < lengths.unsqueeze(1)).flatten().nonzero().squeeze(1)
        of = torch.arange(rows).repeat_interleave(lengths)
        attended = self.of_rows(taken(states, places), of, keys, values, mask)
        return put_back(attended, places, rows, steps)

    def of_rows(
        self, states: Tensor, of: Tensor, keys: Tensor, values: Tensor, mask: Tensor
    ) -> Tensor:
        """Return `forward` of single states (N, H), (N, W), of which many read one memory.

        Args:
            states: (N, H), at least one.
            of: (N,) which memory each reads, ascending.
            keys, values, mask: as in `forward`.
        """
        if states.is_cuda:
            attended: Tensor = self(states.unsqueeze(1), keys[of], values[of], mask[of])
            return attended.squeeze(1)
        positions = torch.arange(1, mask.shape[1] + 1)
        ends = ((mask == 0) * positions).amax(1).tolist()  # behind the last one that is read
        counts = torch.bincount(of, minlength=len(mask)).tolist()
        queries = torch.split(self.hidden_projection(states), counts)
        direction = self.score.weight[0].to(keys.dtype)
        parts = []
        memories = (queries, ends, keys.unbind(), values.unbind(), mask)
        for query, end, read, averaged, masked in zip(*memories, strict=True):
            if len(query):
                scores = additive_scores(query, read[:end], direction) + masked[:end]
                parts.append(_averaged(scores, averaged[:end]))
        return torch.cat(parts)


def _averaged(scores: Tensor, values: Tensor) -> Tensor:
    """Return values (..., M, W) averaged by scores (..., T, M)."""
    weights = torch.softmax(scores, dim=-1)  # Eq. 4
    return weights.to(values.dtype) @ values  # Eq. 5, summed over the M turns
