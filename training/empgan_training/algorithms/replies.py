"""Replies that a generator writes while it is trained: sampled, relaxed, and scored.

Lengths: a reply has at most `max_length` words and always an EOS, as a real one has that is cut to
as many words. PAD and SOS are never drawn.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from empgan_rt.graph_spec import EOS, PAD, SOS

from ..data.batch import Batch
from ..model.decoder import Decoder
from ..model.encoders import lengths_of
from ..model.generator import Generator
from ..model.memory import Memory
from ..model.next_word import drawn_ids
from ..model.products import linear
from ..model.words import Words, cut

# From d^o (S, H) to the ids drawn (S,) and what embeds them (S, V), or None for the ids alone.
Draw = Callable[[Tensor], tuple[Tensor, Tensor | None]]


def sampled_replies(generator: Generator, memory: Memory, max_length: int) -> Tensor:
    """Return replies (S, T) drawn from the generator's distribution, without gradients.

    Args:
        memory: of S contexts.
        max_length: most words of a reply.
    """

    def draw(outputs: Tensor) -> tuple[Tensor, None]:
        return draw_ids(generator.decoder, outputs), None

    with torch.no_grad():
        drawn = _decode(generator, memory, max_length, draw).ids
    # Autocast keeps the weights that it has cast; cast without gradients, they would have none.
    torch.clear_autocast_cache()
    return drawn


def relaxed_replies(
    generator: Generator, memory: Memory, max_length: int, temperature: float
) -> Words:
    """Return replies drawn by the straight-through Gumbel-softmax (Jang et al. 2017).

    The ids follow the generator's distribution whatever the temperature; forward the weights are
    their one-hot vectors, backward those of softmax((logits + Gumbel noise) / temperature). The
    generator reads its own relaxed words, so a gradient reaches every step.
    """

    def draw(outputs: Tensor) -> tuple[Tensor, Tensor]:
        logits = generator.decoder.vocabulary(outputs).float()
        noisy = _struck(logits) - torch.empty_like(logits).exponential_().log()
        ids = noisy.argmax(-1)
        soft = torch.softmax(noisy / temperature, dim=-1)
        hard = functional.one_hot(ids, logits.shape[-1]).to(soft.dtype)
        return ids, hard + (soft - soft.detach())

    return _decode(generator, memory, max_length, draw)


def soft_responses(
    generator: Generator, memory: Memory, batch: Batch, max_length: int, temperature: float
) -> Words:
    """Return the distributions that teacher forcing gives at each step of the gold response.

    A cheap relaxation: no word is ever drawn, so a critic can tell it from real text at a glance.
    The ids are the most probable words, with the gold response's end.
    """
    gold = cut(batch.response_out, max_length)
    logits = _struck(generator.decoder.vocabulary(step_outputs(generator, memory, gold)).float())
    ids = logits[..., EOS + 1 :].argmax(-1) + EOS + 1
    kept = (gold == EOS) | (gold == PAD)
    soft = torch.softmax(logits / temperature, dim=-1)
    return Words(torch.where(kept, gold, ids), soft)


def token_log_probs(
    generator: Generator, memory: Memory, replies: Tensor, max_length: int
) -> Tensor:
    """Return log P of each token of replies drawn by the generator (S, T).

    0 at padding, and for the EOS of a reply that was cut at `max_length` words, which nobody chose.
    """
    outputs = step_outputs(generator, memory, replies)
    log_probs = torch.log_softmax(_struck(generator.decoder.vocabulary(outputs).float()), dim=-1)
    found = log_probs.gather(2, replies.unsqueeze(-1)).squeeze(-1)
    return torch.where(chosen(replies, max_length), found, 0.0)


def chosen(replies: Tensor, max_length: int) -> Tensor:
    """Return which tokens of drawn replies (S, T) the generator chose: bool, no padding, no cut."""
    step = torch.arange(replies.shape[1], device=replies.device)
    return (replies != PAD) & (step < max_length)


def step_outputs(generator: Generator, memory: Memory, replies: Tensor) -> Tensor:
    """Return d^o (Eq. 6), (S, T, H), from which each token of given replies is predicted."""
    read, hidden = generator.readable(memory)
    embedded = generator.word_embedding(functional.pad(replies[:, :-1], (1, 0), value=SOS))
    outputs: Tensor = generator.decoder(embedded, lengths_of(replies), hidden, read)
    return outputs


def draw_ids(decoder: Decoder, outputs: Tensor) -> Tensor:
    """Return ids (S,) drawn given d^o (Eq. 6), (S, H), never PAD or SOS."""
    return drawn_ids(outputs, decoder.vocabulary, (PAD, SOS))


def _decode(generator: Generator, memory: Memory, max_length: int, draw: Draw) -> Words:
    """Return what `draw` makes of each step; weights where it returns them."""
    decoder = generator.decoder
    read, first = generator.readable(memory)
    keys, values, mask, _ = read.of_each()
    hidden = first.unsqueeze(1)
    drawn = torch.full((len(first),), SOS, device=first.device)
    embedded = generator.word_embedding(drawn)
    going = torch.ones_like(drawn, dtype=torch.bool)
    ids: list[Tensor] = []
    weights: list[Tensor] = []
    for _ in range(max_length):
        embedded = embedded.unsqueeze(1)
        hidden, outputs = decoder.next_output(embedded, hidden, keys, values, mask)
        drawn, soft = draw(outputs[:, 0])
        drawn = torch.where(going, drawn, PAD)
        if soft is None:
            embedded = generator.word_embedding(drawn)
        else:
            embedded = linear(soft, generator.word_embedding.weight.t())
            weights.append(soft * going.unsqueeze(1))
        ids.append(drawn)
        going = going & (drawn != EOS)
        if not bool(going.any()):
            break
    else:  # what has not ended by then is cut
        ids.append(torch.where(going, EOS, PAD))
        if weights:
            end = functional.one_hot(ids[-1], weights[0].shape[-1]).to(weights[0].dtype)
            weights.append(end * going.unsqueeze(1))
    return Words(torch.stack(ids, 1), torch.stack(weights, 1) if weights else None)


def _struck(logits: Tensor) -> Tensor:
    """Return logits under which PAD and SOS have no probability."""
    never = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    never[PAD] = never[SOS] = True
    return logits.masked_fill(never, -torch.inf)
