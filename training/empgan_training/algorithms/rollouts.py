"""Monte-Carlo completions of given replies' beginnings (Yu et al. 2017, Eq. 3).

All beginnings are completed side by side. Each starts from the decoder's state at its end, so
nothing that was said is decoded again, and leaves the batch when it ends.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from empgan_rt.graph_spec import EOS, PAD, SOS

from ..model.encoders import lengths_of
from ..model.generator import Generator
from ..model.memory import Memory
from .replies import draw_ids


@torch.no_grad()
def completed_replies(
    generator: Generator,
    memory: Memory,
    replies: Tensor,
    sample: Tensor,
    said: Tensor,
    max_length: int,
) -> Tensor:
    """Return replies (R, max_length + 1) that begin as given ones and end as they may.

    Args:
        memory: of S contexts.
        replies: (S, T) ids.
        sample: (R,) which reply each row begins as, ascending; may repeat.
        said: (R,) how many of its words are kept, from 1 and without its EOS.
        max_length: most words of a reply, at least T - 1.
    """
    decoder = generator.decoder
    read, first = generator.readable(memory)
    before = generator.word_embedding(functional.pad(replies[:, :-1], (1, 0), value=SOS))
    states = decoder.gru.run(before, first, lengths_of(replies))  # (S, T, H)
    hidden = states[sample, said - 1]
    completed = functional.pad(replies, (0, max_length + 1 - replies.shape[1]))[sample]
    step = torch.arange(max_length + 1, device=replies.device)
    completed = torch.where(step < said.unsqueeze(1), completed, PAD)
    going = torch.ones_like(said, dtype=torch.bool)
    for t in range(1, max_length):
        rows = (going & (said <= t)).nonzero().squeeze(1)
        if not len(rows):
            continue
        of = sample[rows]
        embedded = generator.word_embedding(completed[rows, t - 1])
        state, outputs = decoder.next_output_of_words(embedded, hidden[rows], of, read)
        drawn = draw_ids(decoder, outputs)
        hidden[rows] = state.to(hidden.dtype)
        completed[rows, t] = drawn
        going[rows] = drawn != EOS
    completed[:, max_length] = torch.where(going, EOS, PAD)
    torch.clear_autocast_cache()  # as in `sampled_replies`
    return completed
