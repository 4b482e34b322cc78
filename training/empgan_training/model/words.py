"""Sequences that a critic reads, as ids or as weights that a gradient can pass, and the emotion
words in them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from empgan_rt.graph_spec import EOS, SPECIALS
from empgan_rt.text.featurizer import Featurizer

from .encoders import lengths_of


class Words(NamedTuple):
    """A batch of sequences, right-padded.

    Attributes:
        ids: (B, T) of a vocabulary, 0 beyond the end.
        weights: (B, T, V) over that vocabulary, one-hot at `ids` (straight-through) or soft;
            None where no gradient is wanted.
    """

    ids: Tensor
    weights: Tensor | None = None

    @property
    def lengths(self) -> Tensor:
        """Steps of each sequence, (B,) int64, at least 1."""
        return lengths_of(self.ids)


def cut(ids: Tensor, max_length: int) -> Tensor:
    """Return sequences (B, T) that end with EOS cut to `max_length` words and their EOS."""
    if ids.shape[1] <= max_length + 1:
        return ids
    kept = ids[:, : max_length + 1].clone()
    kept[:, max_length] = torch.where(kept[:, max_length] != 0, EOS, 0)
    return kept


class EmotionWordView(nn.Module):
    """The emotion words of sequences of general-vocabulary words.

    One rule for real and generated text, that of `empgan_rt.text`: a word is emotional if its type
    is in the lexicon, and a sequence without any is [EOS].

    Args:
        featurizer: whose vocabulary and lexicon decide.
    """

    def __init__(self, featurizer: Featurizer) -> None:
        super().__init__()
        lexicon = featurizer.lexicon
        table = [0] * len(SPECIALS)
        for word in featurizer.tokenizer.vocabulary[len(SPECIALS) :]:
            table.append(next(iter(lexicon.ids([word])), 0))
        self.size = len(lexicon.vocabulary)
        self.emotion_id: Tensor  # (V,), 0 where a word is not emotional
        self.register_buffer("emotion_id", torch.tensor(table), persistent=False)

    def forward(self, words: Words) -> Words:
        """Return the emotion words of each sequence in their order, ids of the emotion vocabulary.

        Which words are kept is decided by `ids`; weights pass through, so the result is exact
        going forward and differentiable going back.
        """
        ids = self.emotion_id[words.ids.long()]  # (B, T)
        kept = ids != 0
        count = kept.sum(1)
        longest = max(1, int(count.max()))
        order = torch.argsort((~kept).long(), dim=1, stable=True)[:, :longest]
        ids = ids.gather(1, order)
        none = count == 0
        ids[:, 0] = torch.where(none, EOS, ids[:, 0])
        if words.weights is None:
            return Words(ids)
        chosen = words.weights.gather(1, order.unsqueeze(-1).expand(-1, -1, words.weights.shape[2]))
        weights = chosen.new_zeros(*chosen.shape[:2], self.size)
        weights = weights.index_add(2, self.emotion_id, chosen)
        weights = weights * (ids != 0).unsqueeze(-1)
        end = functional.one_hot(torch.tensor(EOS, device=ids.device), self.size)
        first = torch.where(none.unsqueeze(-1), end.to(weights.dtype), weights[:, 0])
        return Words(ids, torch.cat([first.unsqueeze(1), weights[:, 1:]], dim=1))
