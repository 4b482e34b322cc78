"""Heads that exist for training alone: next emotion words (Eq. 8) and prediction by label."""

from __future__ import annotations

from torch import Tensor, nn

from .dropout import Dropout
from .gru import GRU
from .products import Linear


class EmotionWordDecoder(nn.Module):
    """Predicts the response's emotion words from the emotion-word context (Eq. 8)."""

    def __init__(
        self, input_size: int, hidden_size: int, vocabulary_size: int, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.gru = GRU(input_size, hidden_size)
        self.vocabulary = Linear(hidden_size, vocabulary_size)

    def forward(self, embedded: Tensor, lengths: Tensor, initial: Tensor) -> Tensor:
        """Return states (B, T, H), for `vocabulary`.

        Args:
            embedded: (B, T, E) embeddings of SOS and the emotion words.
            lengths: (B,) steps of each row; initial: (B, H).
        """
        states: Tensor = self.dropout(self.gru.run(self.dropout(embedded), initial, lengths))
        return states
