"""Recurrent encoders over right-padded batches.

No packing: with a left-to-right GRU and padding on the right, the state at the last valid step
is exact, and the same code exports to ONNX with every axis dynamic.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .gru import GRU


def lengths_of(ids: Tensor) -> Tensor:
    """Return how many of the last axis are not padding (id 0), at least 1; int64."""
    return (ids != 0).sum(-1).clamp(min=1)


def last_valid(states: Tensor, lengths: Tensor) -> Tensor:
    """Return the state at each row's last valid step.

    Args:
        states: (R, T, H).
        lengths: (R,) from 1 to T.
    """
    index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, states.shape[2])
    return states.gather(1, index).squeeze(1)  # (R, H)


class TurnEncoder(nn.Module):
    """Reads the words of each turn: the last valid GRU state of every turn."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gru = GRU(input_size, hidden_size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, M, H) turn vectors from (B, M, L, E) embeddings and (B, M) lengths."""
        batch, turns, words, width = embedded.shape
        lengths = lengths.reshape(batch * turns)
        states = self.gru.run(embedded.reshape(batch * turns, words, width), lengths=lengths)
        vectors = last_valid(states, lengths)
        return vectors.reshape(batch, turns, -1)


class HierarchicalEncoder(nn.Module):
    """Reads the words of each turn, then the turns in their order.

    Used twice: for utterances (h_dlg_utt of the paper) and for emotion words (h_dlg_emo).
    """

    def __init__(self, input_size: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.turn = TurnEncoder(input_size, hidden_size)
        self.context = GRU(hidden_size, hidden_size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, M, H) context vectors; entry m has seen turns 0..m.

        Args:
            embedded: (B, M, L, E).
            lengths: (B, M) words of each turn.
        """
        turns = self.dropout(self.turn(self.dropout(embedded), lengths))
        return self.context.run(turns)


class LabelEncoder(nn.Module):
    """Reads the emotion labels of a dialogue, starting from its emotion-word context."""

    def __init__(self, num_labels: int, label_size: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(num_labels, label_size))
        nn.init.normal_(self.embedding, std=0.1)
        self.dropout = nn.Dropout(dropout)
        self.gru = GRU(label_size, hidden_size)

    def forward(self, label_probs: Tensor, initial: Tensor) -> Tensor:
        """Return (B, M, H) states.

        Args:
            label_probs: (B, M, 7) distribution over labels; one-hot where a label is known.
            initial: (B, H) emotion-word context at the last valid turn.
        """
        embedded = self.dropout(label_probs @ self.embedding)
        return self.gru.run(embedded, initial)
