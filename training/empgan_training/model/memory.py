"""The memory that a decoder reads (Eq. 2), of contexts that may begin one dialogue alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from empgan_rt.graph_spec import STRUCK

from .encoders import FlatEncoder, last_valid, lengths_of, one_sequence
from .newest_words import WordPositions


class Memory(NamedTuple):
    """The context of each sample before it is projected for the decoder.

    Attributes:
        rows: (R, P, G), Eq. 2; samples whose contexts begin alike may share one.
        row_of: (B,) the row of each sample; None if each has its own.
        newest: (B, G), the state of the last valid position.
        mask: (B, P), 0 where the decoder reads, STRUCK elsewhere.
        emotional: (B, H), the newest emotion-word context; None without that stream.
        words: of each sample's newest turns, which are read as well; None where they are not.
    """

    rows: Tensor
    row_of: Tensor | None
    newest: Tensor
    mask: Tensor
    emotional: Tensor | None
    words: WordPositions | None = None


def memory_of(
    streams: Sequence[Tensor],
    lengths: Tensor,
    *,
    attention: bool,
    emotional: Tensor | None = None,
    row_of: Tensor | None = None,
) -> Memory:
    """Return the memory of streams (R, P, ...), side by side.

    Args:
        lengths: (B,) positions of each sample.
        attention: whether the decoder reads every position, or the newest alone.
        emotional, row_of: as in `Memory`.
    """
    rows = torch.cat([*streams], dim=-1)
    position = torch.arange(rows.shape[1], device=rows.device)
    end = lengths.unsqueeze(1)
    unread = position >= end if attention else position != end - 1
    mask = unread.float() * STRUCK  # and the softmax over it: float32 even if weights are less
    newest = last_valid(rows, lengths) if row_of is None else rows[row_of, lengths - 1]
    return Memory(rows, row_of, newest, mask, emotional)


def flat_memory(
    encoder: FlatEncoder,
    word_embedding: nn.Embedding,
    utterances: Tensor,
    label_probs: Tensor,
    turns: Tensor,
    dialogue_of: Tensor | None,
    *,
    attention: bool,
) -> Memory:
    """Return the memory of a flat encoder; arguments as for `Generator.memory`.

    What contexts have in common is read once: a context's states are the first of its dialogue's,
    or of those that begin with the same label.
    """
    row_of, read = dialogue_of, turns
    if dialogue_of is not None:
        label_probs = label_probs[dialogue_of]
    label = last_valid(label_probs, turns)
    if dialogue_of is not None and encoder.label_embedding is not None:
        some, row_of = _distinct(dialogue_of, label)
        utterances, label = utterances[dialogue_of[some]], label[some]
    if row_of is not None:
        read = turns.new_zeros(len(utterances)).scatter_reduce(0, row_of, turns, "amax")
    ids = one_sequence(utterances, read)
    states, lengths = encoder(word_embedding(ids), lengths_of(ids), label)
    if row_of is not None:
        words = (utterances != 0).sum(-1) + 1  # of each turn, EOS included
        before = (lengths - lengths_of(ids))[row_of]  # a label's place
        total = words.cumsum(1)[row_of].gather(1, turns.unsqueeze(1) - 1).squeeze(1)
        lengths = before + total
    return memory_of([states], lengths, attention=attention, row_of=row_of)


def _distinct(dialogue_of: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Return a sample of each pair of dialogue and label there is, and each sample's pair (B,).

    On a GPU, where the host would have to wait for their number, each sample is a pair.
    """
    everyone = torch.arange(len(label), device=label.device)
    if label.is_cuda:
        return everyone, everyone
    pairs = torch.cat([dialogue_of.unsqueeze(1).to(label.dtype), label], dim=1)
    distinct, pair_of = torch.unique(pairs, dim=0, return_inverse=True)
    return everyone.new_zeros(len(distinct)).scatter(0, pair_of, everyone), pair_of
