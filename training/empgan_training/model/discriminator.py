"""SeqGAN's discriminator: did a person write this reply to this context?

The hierarchical encoder of Li et al. 2017, "Adversarial Learning for Neural Dialogue Generation":
one LSTM reads the words of each turn, another the turns of the context and then the reply. It
reads left to right, so a context is encoded once for all replies that are scored against it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from .encoders import last_valid, lengths_of
from .recurrent import run_recurrence


class ContextState(NamedTuple):
    """The LSTM over turns after the context of each sample.

    Attributes:
        hidden: (S, H); cell: (S, H).
    """

    hidden: Tensor
    cell: Tensor

    def rows(self, index: Tensor) -> ContextState:
        """Return the states of the given samples, (R,) int64, which may repeat."""
        return ContextState(self.hidden[index], self.cell[index])


class HierarchicalDiscriminator(nn.Module):
    """Tells people's replies from generated ones.

    Args:
        vocabulary_size: of the ids that it reads.
        embedding_size: E, of its own embedding.
        hidden_size: H, of both LSTMs.
    """

    def __init__(self, vocabulary_size: int, embedding_size: int, hidden_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=0)
        self.words = nn.LSTM(embedding_size, hidden_size, batch_first=True)
        self.turns = nn.LSTMCell(hidden_size, hidden_size)
        self.human = nn.Linear(hidden_size, 1)

    def read_context(
        self, utterances: Tensor, turns: Tensor, dialogue_of: Tensor | None = None
    ) -> ContextState:
        """Return the state after each of S contexts, the first turns of a dialogue each.

        Args:
            utterances: (D, M, L) ids; each dialogue is read once.
            turns: (S,) turns of each context, from 1 to M.
            dialogue_of: (S,) row of each context's dialogue; None if each has one context.
        """
        dialogues, length, _ = utterances.shape
        vectors = self._turn_vectors(utterances.flatten(0, 1)).view(dialogues, length, -1)
        states: list[tuple[Tensor, Tensor]] = []
        for m in range(length):
            states.append(self._next(vectors[:, m], states[-1] if states else None))
        hidden, cell = (torch.stack(each, dim=1) for each in zip(*states, strict=True))
        if dialogue_of is None:
            dialogue_of = torch.arange(dialogues, device=turns.device)
        newest = turns - 1
        return ContextState(hidden[dialogue_of, newest], cell[dialogue_of, newest])

    def score(self, context: ContextState, responses: Tensor) -> Tensor:
        """Return the logits of "human" (S,) of replies (S, T), a row for each of the context."""
        hidden, _ = self._next(self._turn_vectors(responses), tuple(context))
        logits: Tensor = self.human(hidden)
        return logits.squeeze(-1)

    def forward(
        self,
        utterances: Tensor,
        turns: Tensor,
        responses: Tensor,
        dialogue_of: Tensor | None = None,
    ) -> Tensor:
        """Return the logits of "human" (S,); inputs as in `read_context` and `score`."""
        return self.score(self.read_context(utterances, turns, dialogue_of), responses)

    def _turn_vectors(self, ids: Tensor) -> Tensor:
        """Return the last valid state (R, H) of each row of words (R, L)."""
        embedded, lengths = self.embedding(ids), lengths_of(ids)
        if ids.is_cuda:  # to pack them the host would have to know their lengths
            states, _ = run_recurrence(self.words, next(self.words.parameters()), embedded)
            return last_valid(states, lengths)
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        vectors: Tensor = self.words(packed)[1][0].squeeze(0)
        return vectors

    def _next(self, vectors: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, Tensor]:
        """Return hidden and cell (R, H) after one more turn of each row."""
        found: tuple[Tensor, Tensor] = run_recurrence(
            self.turns, next(self.turns.parameters()), vectors, state
        )
        return found
