"""The empathetic response decoder, Eq. 1, 6 and 7.

Eq. 6 is linear, so W_o [d; g] = W_od d + W_og g, and W_og is applied to the memory once per
dialogue instead of once per token: those are the `values` that the attention averages.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention import EmpatheticAttention
from .gru import GRU
from .padding import put_back, taken


class Decoder(nn.Module):
    """A GRU over the reply whose state, after each update, attends to the memory."""

    def __init__(
        self,
        input_size: int,
        memory_size: int,
        hidden_size: int,
        vocabulary_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.bridge = nn.Linear(memory_size, hidden_size)  # d_0 = tanh(W g_M + b)
        self.gru = GRU(input_size, hidden_size)
        self.attention = EmpatheticAttention(memory_size, hidden_size)
        self.output_hidden = nn.Linear(hidden_size, hidden_size)  # W_od, b_o
        self.output_memory = nn.Linear(memory_size, hidden_size, bias=False)  # W_og
        self.vocabulary = nn.Linear(hidden_size, vocabulary_size)  # W_v, b_v

    def prepare(
        self, memory: Tensor, newest: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return keys (B, M, H), values (B, M, H) and the first hidden state (B, H).

        Args:
            memory: (B, M, G), Eq. 2.
            newest: (B, G), the memory of each dialogue's last valid turn.
            mask: (B, M) as in the attention. Given one, a CPU leaves keys and values 0 where
                nothing is read; on a GPU, finding out where would cost more than it saves.
        """
        if mask is None or memory.is_cuda:
            keys, values = self.attention.keys(memory), self.output_memory(memory)
        else:
            places = (mask.flatten() == 0).nonzero().squeeze(1)
            read = taken(memory, places)
            keys, values = (
                put_back(vectors, places, *mask.shape)
                for vectors in (self.attention.keys(read), self.output_memory(read))
            )
        return keys, values, torch.tanh(self.bridge(newest))

    def forward(
        self,
        embedded: Tensor,
        lengths: Tensor,
        hidden: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """Return d^o (Eq. 6) of every step of a given reply, (B, T, H), for `vocabulary`.

        Args:
            embedded: (B, T, E) embeddings of SOS and the reply.
            lengths: (B,) steps of each reply.
            hidden: (B, H) first hidden state; keys, values, mask as in the attention.
        """
        states = self.dropout(self.gru.run(self.dropout(embedded), hidden, lengths))
        attended = self.attention.of_replies(states, lengths, keys, values, mask)
        output: Tensor = self.output_hidden(states) + attended  # Eq. 6
        return output

    def step(
        self, embedded: Tensor, hidden: Tensor, keys: Tensor, values: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the next hidden state (B, K, H) and the logits (B, K, V).

        Args:
            embedded: (B, K, E) embedding of each beam's last token.
            hidden: (B, K, H).
        """
        state, output = self.next_output(embedded, hidden, keys, values, mask)
        return state, self.vocabulary(output)  # Eq. 7

    def next_output(
        self, embedded: Tensor, hidden: Tensor, keys: Tensor, values: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the next hidden state and d^o (Eq. 6), both (B, K, H); inputs as for `step`."""
        state = self.gru.cell(embedded, hidden)
        output = self.output_hidden(state) + self.attention(state, keys, values, mask)  # Eq. 6
        return state, output

    def step_of_rows(
        self,
        embedded: Tensor,
        hidden: Tensor,
        of: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return `step` of N single rows, (N, H) and (N, V), of which many read one memory.

        Args:
            embedded: (N, E); hidden: (N, H).
            of: (N,) which memory each row reads, ascending.
        """
        state = self.gru.cell(embedded, hidden)
        attended = self.attention.of_rows(state, of, keys, values, mask)
        return state, self.vocabulary(self.output_hidden(state) + attended)  # Eq. 6 and 7
