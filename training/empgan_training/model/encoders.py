"""Recurrent encoders over right-padded batches.

No packing: with a left-to-right GRU and padding on the right, the state at the last valid step
is exact, and the same code exports to ONNX with every axis dynamic.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from empgan_rt.graph_spec import EOS, NUM_LABELS

from .dropout import Dropout
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
    """Reads the words of each turn: the GRU's states, of which the last valid one is the turn's."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gru = GRU(input_size, hidden_size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, M, L, H) states from (B, M, L, E) embeddings and (B, M) lengths."""
        batch, turns, words, width = embedded.shape
        flat = embedded.reshape(batch * turns, words, width)
        states = self.gru.run(flat, lengths=lengths.reshape(batch * turns))
        return states.reshape(batch, turns, words, -1)


class HierarchicalEncoder(nn.Module):
    """Reads the words of each turn, then the turns in their order.

    Used twice: for utterances (h_dlg_utt of the paper) and for emotion words (h_dlg_emo).
    """

    def __init__(self, input_size: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.turn = TurnEncoder(input_size, hidden_size)
        self.context = GRU(hidden_size, hidden_size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, M, H) context vectors; entry m has seen turns 0..m.

        Args:
            embedded: (B, M, L, E).
            lengths: (B, M) words of each turn.
        """
        return self.in_context(self.turns(embedded, lengths))

    def turns(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, M, H) turn vectors, the first half of `forward`."""
        return self.of_words(self.words(embedded, lengths), lengths)

    def words(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, M, L, H) states of the words of turns; inputs as for `forward`."""
        states: Tensor = self.turn(self.dropout(embedded), lengths)
        return states

    def of_words(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Return `turns` of the states of their words."""
        vectors = last_valid(states.flatten(0, 1), lengths.flatten())
        dropped: Tensor = self.dropout(vectors.view(*lengths.shape, -1))
        return dropped

    def in_context(self, turns: Tensor, initial: Tensor | None = None) -> Tensor:
        """Return (B, M, H) context vectors of turn vectors, the second half of `forward`.

        Args:
            turns: (B, M, H).
            initial: (B, H) context vector before these turns; zeros if None.
        """
        return self.context.run(turns, initial)


class LabelEncoder(nn.Module):
    """Reads the emotion labels of a dialogue, starting from another stream's context."""

    def __init__(self, label_size: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(NUM_LABELS, label_size))
        nn.init.normal_(self.embedding, std=0.1)
        self.dropout = Dropout(dropout)
        self.gru = GRU(label_size, hidden_size)

    def forward(self, label_probs: Tensor, initial: Tensor) -> Tensor:
        """Return (B, M, H) states.

        Args:
            label_probs: (B, M, 7) distribution over labels; one-hot where a label is known.
            initial: (B, H) context of the other stream at the last valid turn.
        """
        embedded = self.dropout(label_probs @ self.embedding)
        return self.gru.run(embedded, initial)


class FlatEncoder(nn.Module):
    """Reads a dialogue as one sequence of words, an emotion label before it if wanted."""

    def __init__(
        self, input_size: int, hidden_size: int, dropout: float, *, prepend_label: bool
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.gru = GRU(input_size, hidden_size)
        self.label_embedding: nn.Parameter | None = None
        if prepend_label:
            self.label_embedding = nn.Parameter(torch.empty(NUM_LABELS, input_size))
            nn.init.normal_(self.label_embedding, std=0.1)

    def forward(
        self, embedded: Tensor, lengths: Tensor, label_probs: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return states (B, P, H) and how many are valid (B,).

        Args:
            embedded: (B, P, E), or (B, P - 1, E) where a label is prepended.
            lengths: (B,) words of each sequence.
            label_probs: (B, 7) of the label that is prepended.
        """
        if self.label_embedding is not None:
            label = (label_probs @ self.label_embedding).unsqueeze(1)
            embedded, lengths = torch.cat([label, embedded], dim=1), lengths + 1
        return self.gru.run(self.dropout(embedded), lengths=lengths), lengths


def one_sequence(utterances: Tensor, turns: Tensor) -> Tensor:
    """Return (B, M * (L + 1)) ids: the words of each dialogue's turns, every turn ended by EOS.

    Outside an export the columns that are padding in every row are left out.

    Args:
        utterances: (B, M, L) ids.
        turns: (B,) turns of each dialogue that are read.
    """
    position = torch.arange(utterances.shape[1], device=utterances.device)
    read = (position < turns.unsqueeze(1)).unsqueeze(-1)  # (B, M, 1)
    ends = (utterances != 0).sum(-1, keepdim=True)
    ended = functional.pad(utterances, (0, 1)).scatter(2, ends, EOS)
    ids = torch.where(read, ended, torch.zeros_like(ended)).flatten(1)
    real = ids != 0
    width = ids.shape[1]
    place = torch.where(real, real.cumsum(1) - 1, width)  # padding all goes to one column more
    joined = functional.pad(torch.zeros_like(ids), (0, 1)).scatter(1, place, ids)
    if not torch.compiler.is_exporting():
        width = int(real.sum(1).max())
    return joined[:, :width]
