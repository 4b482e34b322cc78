"""The critic, Eq. 10-13: how well a reply fits its dialogue and what the user answered to it.

Used twice: on words (semantic) and on emotion words (emotional). It reads words or straight-through
weights over the vocabulary alike, so a generator can be trained through it. Sequences are read by
an LSTM; convolutions over the reply's states, the feedback's after them, find n-gram features
whose maxima meet the dialogue's context.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .products import linear, rounds
from .recurrent import run_recurrence
from .words import Words

KERNEL_WIDTHS = (2, 3, 4, 5)


class States(NamedTuple):
    """Hidden states of a batch of sequences.

    Attributes:
        values: (B, T, H), zero beyond each sequence's end.
        lengths: (B,) steps of each sequence.
    """

    values: Tensor
    lengths: Tensor


class Critic(nn.Module):
    """Scores replies; the larger, the more they look like people's.

    Args:
        vocabulary_size: of the ids that it reads.
        embedding_size: E, of its own embedding.
        hidden_size: H, at least four; its quarter is the filters of each width.
        context_size: G, width of the dialogue's context.
    """

    def __init__(
        self, vocabulary_size: int, embedding_size: int, hidden_size: int, context_size: int
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=0)
        self.lstm = nn.LSTM(embedding_size, hidden_size, batch_first=True)
        filters = hidden_size // len(KERNEL_WIDTHS)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(hidden_size, filters, width) for width in KERNEL_WIDTHS
        )
        self.context = nn.Linear(context_size, filters * len(KERNEL_WIDTHS))  # W_c, Eq. 10
        self.score = nn.Linear(filters * len(KERNEL_WIDTHS), 1)  # W_D, Eq. 13

    def read(self, words: Words) -> States:
        """Return h of the paper: the LSTM's states of each sequence."""
        embedded = (
            self.embedding(words.ids)
            if words.weights is None
            else linear(words.weights, self.embedding.weight.t())
        )
        lengths = words.lengths
        with _as_rounded():
            states, _ = run_recurrence(self.lstm, next(self.lstm.parameters()), embedded)
        return States(states * _real(lengths, states.shape[1]).unsqueeze(-1), lengths)

    def forward(self, response: States, feedback: States | None, context: Tensor) -> Tensor:
        """Return the scores D (B,) of replies in their dialogues.

        Args:
            response: of the replies; feedback: of what the user said next (Eq. 11, 12), None for a
                critic that does not see it.
            context: (B, G), the dialogue's context; no gradient flows into it.
        """
        joined = response if feedback is None else join([response, feedback])
        width = max(joined.values.shape[1], *KERNEL_WIDTHS)
        values = functional.pad(joined.values, (0, 0, 0, width - joined.values.shape[1]))
        lengths = joined.lengths.clamp(min=max(KERNEL_WIDTHS))
        features = []
        for convolution, size in zip(self.convolutions, KERNEL_WIDTHS, strict=True):
            with _as_rounded():
                found = torch.relu(convolution(values.transpose(1, 2)))  # (B, filters, windows)
            inside = _real(lengths - size + 1, found.shape[2])
            features.append((found * inside.unsqueeze(1)).amax(-1))
        pooled = torch.cat(features, dim=-1)
        scores: Tensor = self.score(torch.relu(pooled + self.context(context.detach())))
        return scores.squeeze(-1).float()  # what is summed and compared is no bfloat16


def _as_rounded() -> torch.autocast:
    """Return the context of LSTM and convolutions on a CPU: autocast where products are rounded."""
    return torch.autocast("cpu", torch.bfloat16, enabled=rounds())


def join(parts: Sequence[States]) -> States:
    """Return each row's sequences one after another in time, without padding between them."""
    lengths = torch.stack([part.lengths for part in parts], dim=1)  # (B, parts)
    total = lengths.sum(1)
    ends = lengths.cumsum(1)
    step = torch.arange(int(total.max()), device=total.device).expand(len(total), -1)
    source = torch.zeros_like(step)  # column of the parts laid side by side, padding included
    offset = 0
    for i, part in enumerate(parts):
        begin = ends[:, i : i + 1] - lengths[:, i : i + 1]
        here = (step >= begin) & (step < ends[:, i : i + 1])
        source = torch.where(here, offset + step - begin, source)
        offset += part.values.shape[1]
    beside = torch.cat([part.values for part in parts], dim=1)
    index = source.unsqueeze(-1).expand(-1, -1, beside.shape[2])
    values = beside.gather(1, index) * _real(total, step.shape[1]).unsqueeze(-1)
    return States(values, total)


def _real(lengths: Tensor, steps: int) -> Tensor:
    """Return (B, T) of ones up to each length and zeros beyond."""
    return (torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)).float()
