"""The empathetic response decoder, Eq. 1, 6 and 7.

Eq. 6 is linear, so W_o [d; g] = W_od d + W_og g, and W_og is applied to the memory once per
dialogue instead of once per token: those are the `values` that the attention averages.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from empgan_rt.graph_spec import STRUCK

from .attention import EmpatheticAttention, Readable
from .dropout import Dropout
from .gru import GRU
from .next_word import TiedLinear
from .padding import put_back, taken
from .products import Linear


class Decoder(nn.Module):
    """A GRU over the reply whose state, after each update, attends to the memory.

    Args:
        shared: the word embedding whose weights are the vocabulary's as well; None for others.
    """

    def __init__(
        self,
        input_size: int,
        memory_size: int,
        hidden_size: int,
        vocabulary_size: int,
        dropout: float,
        shared: nn.Embedding | None = None,
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.bridge = Linear(memory_size, hidden_size)  # d_0 = tanh(W g_M + b)
        self.gru = GRU(input_size, hidden_size)
        self.attention = EmpatheticAttention(memory_size, hidden_size)
        self.output_hidden = Linear(hidden_size, hidden_size)  # W_od, b_o
        self.output_memory = Linear(memory_size, hidden_size, bias=False)  # W_og
        self.vocabulary: Linear | TiedLinear  # W_v, b_v
        if shared is None:
            self.vocabulary = Linear(hidden_size, vocabulary_size)
        else:
            self.vocabulary = TiedLinear(shared)

    def prepare(
        self,
        memory: Tensor,
        newest: Tensor,
        mask: Tensor | None = None,
        row_of: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return keys (R, M, H), values (R, M, H) and the first hidden state (B, H).

        Args:
            memory: (R, M, G), Eq. 2.
            newest: (B, G), the memory of each dialogue's last valid turn.
            mask: (B, M) as in the attention. Given one, a CPU leaves keys and values 0 where
                nothing is read; on a GPU, finding out where would cost more than it saves.
            row_of: (B,) which of the R rows each dialogue reads; None if each has its own.
        """
        if mask is None or memory.is_cuda:
            keys, values = self.attention.keys(memory), self.output_memory(memory)
        else:
            unread = mask
            if row_of is not None:  # by all that read a row
                unread = mask.new_full(memory.shape[:2], STRUCK)
                unread.scatter_reduce_(0, row_of.unsqueeze(1).expand_as(mask), mask, "amax")
            places = (unread.flatten() == 0).nonzero().squeeze(1)
            read = taken(memory, places)
            keys, values = (
                put_back(vectors, places, *unread.shape)
                for vectors in (self.attention.keys(read), self.output_memory(read))
            )
        return keys, values, torch.tanh(self.bridge(newest))

    def forward(self, embedded: Tensor, lengths: Tensor, hidden: Tensor, read: Readable) -> Tensor:
        """Return d^o (Eq. 6) of every step of a given reply, (B, T, H), for `vocabulary`.

        Args:
            embedded: (B, T, E) embeddings of SOS and the reply.
            lengths: (B,) steps of each reply.
            hidden: (B, H) first hidden state.
            read: what the B replies read.
        """
        states = self.dropout(self.gru.run(self.dropout(embedded), hidden, lengths))
        attended = self.attention.of_replies(states, lengths, read)
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

    def next_output_of_words(
        self, embedded: Tensor, hidden: Tensor, of: Tensor, read: Readable
    ) -> tuple[Tensor, Tensor]:
        """Return `next_output` of N single words, (N, H) both, of which many are of one reply.

        Args:
            embedded: (N, E); hidden: (N, H).
            of, read: as in `EmpatheticAttention.of_words`.
        """
        state = self.gru.cell(embedded, hidden)
        return state, self.output_hidden(state) + self.attention.of_words(state, of, read)  # Eq. 6
