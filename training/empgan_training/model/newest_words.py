"""The words of a dialogue's newest turns, which the decoder reads beside its turns.

Beyond the paper: a turn's vector says what the turn is about, and its words say it exactly. They
are the states of the utterance stream's turn encoder, so that they need no encoder of their own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from empgan_rt.graph_spec import STRUCK

from .attention import Readable
from .dropout import Dropout
from .encoders import lengths_of
from .products import Linear


class WordPositions(NamedTuple):
    """Words as memory positions of S contexts, a newer turn's first, padding behind them alone.

    Attributes:
        turns: (S,) turns of each context.
        counts: (S,) words of each context.
        keys, values: (S, W, H), as in `Readable`.
    """

    turns: Tensor
    counts: Tensor
    keys: Tensor
    values: Tensor


class NewestWords(nn.Module):
    """Projects the words of the newest turns to memory positions, one a word.

    Args:
        turns: k, newest turns that are read.
        hidden_size: H, of the states of their words and of what is made of them.
        dropout: of those states.
    """

    def __init__(self, turns: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.turns = turns
        self.dropout = Dropout(dropout)
        self.recency = nn.Parameter(torch.zeros(turns, hidden_size))  # of the newest turn first
        self.key_projection = Linear(hidden_size, hidden_size, bias=False)
        self.value_projection = Linear(hidden_size, hidden_size, bias=False)

    def in_dialogues(
        self, states: Tensor, lengths: Tensor, turns: Tensor, dialogue_of: Tensor | None
    ) -> WordPositions:
        """Return the words of S contexts, each the first turns of one of D dialogues.

        Args:
            states: (D, M, L, H) of the words of all turns.
            lengths: (D, M) words of each turn.
            turns, dialogue_of: (S,) as in `Generator.memory`.
        """
        if dialogue_of is None:
            dialogue_of = torch.arange(turns.shape[0], device=turns.device)
        numbers, there = self._newest(turns)
        rows = dialogue_of.unsqueeze(1) * lengths.shape[1] + numbers
        counts = lengths.flatten()[rows] * there
        most = int(counts.sum(1).max())
        return self._packed(turns, states.flatten(0, 1), rows, counts, most)

    def ids(self, utterances: Tensor, turns: Tensor) -> tuple[Tensor, Tensor]:
        """Return the ids (B, k, L) of the newest turns, and how many words (B, k) they have.

        Args:
            utterances: (B, M, L) ids.
            turns: (B,) turns of each dialogue; for one that is not there, it has 0 words.
        """
        numbers, there = self._newest(turns)
        columns = numbers.unsqueeze(-1).expand(-1, -1, utterances.shape[2])
        ids = utterances.gather(1, columns)
        return ids, lengths_of(ids) * there

    def of_newest(self, turns: Tensor, states: Tensor, lengths: Tensor) -> WordPositions:
        """Return the words of B contexts.

        Args:
            turns: (B,) turns of each.
            states: (B, k, L, H) of the words of what `ids` returned.
            lengths: (B, k) from there.
        """
        rows = torch.arange(lengths.shape[0], device=lengths.device).unsqueeze(1) * self.turns
        rows = rows + torch.arange(self.turns, device=lengths.device)
        most = self.turns * states.shape[2]
        return self._packed(turns, states.flatten(0, 1), rows, lengths, most)

    def _newest(self, turns: Tensor) -> tuple[Tensor, Tensor]:
        """Return numbers (S, k) of the newest of `turns` (S,) turns, and whether they are there."""
        numbers = turns.unsqueeze(1) - 1 - torch.arange(self.turns, device=turns.device)
        return numbers.clamp(min=0), numbers >= 0

    def _packed(
        self, turns: Tensor, states: Tensor, rows: Tensor, lengths: Tensor, most: int
    ) -> WordPositions:
        """Return W = `most` positions of words, without padding between a context's turns.

        Args:
            states: (R, L, H) of the words of R turns.
            rows: (S, k), which of them are each context's newest turns.
            lengths: (S, k) words of each.
        """
        ends = lengths.cumsum(1)
        place = torch.arange(most, device=states.device)
        turn = (place.view(1, -1, 1) >= ends.unsqueeze(1)).sum(-1).clamp(max=self.turns - 1)
        inside = (place - (ends - lengths).gather(1, turn)).clamp(0, states.shape[1] - 1)
        at = rows.gather(1, turn) * states.shape[1] + inside
        words = functional.embedding(at, self.dropout(states).flatten(0, 1)) + self.recency[turn]
        keys, values = self.key_projection(words), self.value_projection(words)
        return WordPositions(turns, ends[:, -1], keys, values)


def beside(turns: Readable, words: WordPositions) -> Readable:
    """Return what is read of S contexts: their turns, and their words right behind these.

    So a longer context in the batch moves nothing of a shorter one.

    Args:
        turns: as M positions, each context in a row of its own.
        words: of the same contexts.
    """
    most, positions = turns.keys.shape[1], turns.keys.shape[1] + words.keys.shape[1]
    place = torch.arange(positions, device=words.turns.device)
    behind = place - words.turns.unsqueeze(1)  # (S, P), of a word
    at = torch.where(behind < 0, place, (most + behind).clamp(max=positions - 1))
    at = at + torch.arange(at.shape[0], device=at.device).unsqueeze(1) * positions
    keys, values = (
        functional.embedding(at, torch.cat(pair, 1).flatten(0, 1))
        for pair in ((turns.keys, words.keys), (turns.values, words.values))
    )
    mask = (place >= (words.turns + words.counts).unsqueeze(1)).float() * STRUCK
    return Readable(keys, values, mask)
