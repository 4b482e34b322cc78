"""EmotionRecogniser: labels for users who give none.

Trained once on the corpus's labels and then frozen, so that every system that reads labels
reads the same ones at inference. It reads a turn in one of two ways: word after word, or as the
set of its words and pairs of words (docs/decisions/0028-emotions-from-word-pairs.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from empgan_rt.graph_spec import NUM_LABELS, STRUCK

from .dropout import Dropout
from .encoders import lengths_of
from .gru import GRU
from .ngrams import ngram_rows


class EmotionRecogniser(nn.Module):
    """Classifies each turn of a dialogue, having seen the turns before it.

    Args:
        vocabulary_size: V, of the words that it reads one after another.
        size: of its embedding and of its states.
        dropout: in training.
        buckets: rows of the table in which it looks up words and pairs of words instead; 0 for
            none.
    """

    def __init__(self, vocabulary_size: int, size: int, dropout: float, buckets: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(buckets or vocabulary_size, size, padding_idx=0)
        self.dropout = Dropout(dropout)
        self.turn = None if buckets else GRU(size, size)
        self.context = GRU(size, size)
        self.classify = nn.Linear(2 * size, NUM_LABELS)
        if buckets:  # most rows are seen seldom or never, and should say little until then
            nn.init.normal_(self.embedding.weight, std=0.05)
            nn.init.zeros_(self.embedding.weight[0])

    def forward(self, utterances: Tensor) -> Tensor:
        """Return logits (B, M, 7) for (B, M, L) token ids; entry m has seen turns 0..m."""
        return self.in_context(self.turns(utterances))

    def turns(self, utterances: Tensor) -> Tensor:
        """Return (B, M, size) turn vectors, the first half of `forward`."""
        batch, turns, words = utterances.shape
        ids = utterances.reshape(batch * turns, words)
        vectors = self._sum(ids) if self.turn is None else self._states(self.turn, ids)
        turn_vectors: Tensor = self.dropout(vectors.reshape(batch, turns, -1))
        return turn_vectors

    def in_context(self, turns: Tensor) -> Tensor:
        """Return logits (B, M, 7) of turn vectors, the second half of `forward`."""
        return self.logits(turns, self.states(turns))

    def states(self, turns: Tensor, initial: Tensor | None = None) -> Tensor:
        """Return (B, M, size) states after each turn vector, from (B, size) or zeros before."""
        return self.context.run(turns, initial)

    def logits(self, turns: Tensor, states: Tensor) -> Tensor:
        """Return logits (B, M, 7) of turn vectors and the states after them."""
        logits: Tensor = self.classify(torch.cat([turns, states], dim=-1))
        return logits

    def _states(self, turn: GRU, ids: Tensor) -> Tensor:
        """Return (R, size), the largest states of (R, L) words over time."""
        states = turn.run(self.dropout(self.embedding(ids)), lengths=lengths_of(ids))
        padding = (ids == 0).unsqueeze(-1).float() * STRUCK
        return (states + padding).amax(1).clamp(min=-1.0)

    def _sum(self, ids: Tensor) -> Tensor:
        """Return (R, size), the sum over (R, L) words and their pairs, by the root of L."""
        rows = self.dropout(self.embedding(ngram_rows(ids, self.embedding.num_embeddings)))
        vectors: Tensor = rows.sum(1) / lengths_of(ids).unsqueeze(1).to(rows.dtype).sqrt()
        return vectors
