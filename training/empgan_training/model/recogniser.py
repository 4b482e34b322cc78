"""EmotionRecogniser: labels for users who give none.

Trained once on the corpus's labels and then frozen, so that every system that reads labels
reads the same ones at inference.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from empgan_rt.graph_spec import NUM_LABELS, STRUCK

from .dropout import Dropout
from .encoders import lengths_of
from .gru import GRU


class EmotionRecogniser(nn.Module):
    """Classifies each turn of a dialogue, having seen the turns before it."""

    def __init__(self, vocabulary_size: int, size: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, size, padding_idx=0)
        self.dropout = Dropout(dropout)
        self.turn = GRU(size, size)
        self.context = GRU(size, size)
        self.classify = nn.Linear(2 * size, NUM_LABELS)

    def forward(self, utterances: Tensor) -> Tensor:
        """Return logits (B, M, 7) for (B, M, L) token ids; entry m has seen turns 0..m."""
        return self.in_context(self.turns(utterances))

    def turns(self, utterances: Tensor) -> Tensor:
        """Return (B, M, size) turn vectors, the first half of `forward`."""
        batch, turns, words = utterances.shape
        ids = utterances.reshape(batch * turns, words)
        states = self.turn.run(self.dropout(self.embedding(ids)), lengths=lengths_of(ids))
        padding = (ids == 0).unsqueeze(-1).float() * STRUCK
        vectors = (states + padding).amax(1).clamp(min=-1.0)  # max over time, (B * M, size)
        turn_vectors: Tensor = self.dropout(vectors.reshape(batch, turns, -1))
        return turn_vectors

    def in_context(self, turns: Tensor) -> Tensor:
        """Return logits (B, M, 7) of turn vectors, the second half of `forward`."""
        context = self.context.run(turns)
        logits: Tensor = self.classify(torch.cat([turns, context], dim=-1))
        return logits
