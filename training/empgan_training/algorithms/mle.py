"""Maximum likelihood: the generator's loss, Eq. 8 and 9, and the recogniser's."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..data.batch import Batch
from ..model.encoders import last_valid, lengths_of
from ..model.generator import Generator, Memory


class GeneratorLoss(NamedTuple):
    """Eq. 9 and its three parts, each a mean: over tokens, emotion words and samples.

    Attributes:
        total: Psi_g.
        response: cross entropy of the response, nats per token, EOS included.
        emotion_words: Psi_emo, nats per emotion word, EOS included.
        label: Psi_lab, nats per sample.
        tokens: response tokens that were counted.
        emotion_tokens: emotion words that were counted, EOS included.
    """

    total: Tensor
    response: Tensor
    emotion_words: Tensor
    label: Tensor
    tokens: int
    emotion_tokens: int


def sample_memory(generator: Generator, batch: Batch) -> tuple[Memory, Tensor]:
    """Return the memory of each sample and its last emotion-word context (S, H).

    The labels read are the gold ones, as in the paper.
    """
    semantic = generator.semantic(batch.utterances)[batch.dialogue_of]
    emotional = generator.emotional(batch.emotion_words)[batch.dialogue_of]
    probs = functional.one_hot(batch.labels.long(), 8)[..., 1:].to(semantic.dtype)
    memory = generator.memory(semantic, emotional, probs[batch.dialogue_of], batch.context_turns)
    return memory, last_valid(emotional, batch.context_turns)


def generator_loss(generator: Generator, batch: Batch) -> GeneratorLoss:
    """Return Psi_g of one batch by teacher forcing (Eq. 9)."""
    memory, emotional = sample_memory(generator, batch)
    decoder = generator.decoder
    keys, values, hidden = decoder.prepare(memory.states, memory.newest)
    output = decoder(
        generator.word_embedding(batch.response_in),
        lengths_of(batch.response_in),
        hidden,
        keys,
        values,
        memory.mask,
    )
    real = batch.response_out != 0
    response = functional.cross_entropy(
        decoder.vocabulary(output[real]).float(), batch.response_out[real]
    )
    auxiliary = generator.emotion_decoder
    states = auxiliary(
        generator.emotion_embedding(batch.emotion_in), lengths_of(batch.emotion_in), emotional
    )
    real_words = batch.emotion_out != 0
    emotion_words = functional.cross_entropy(
        auxiliary.vocabulary(states[real_words]).float(), batch.emotion_out[real_words]
    )
    newest_label = memory.newest[:, -generator.config.hidden_size :]
    label = functional.cross_entropy(
        generator.label_head(newest_label).float(), batch.response_label - 1
    )
    return GeneratorLoss(
        total=response + emotion_words + label,
        response=response,
        emotion_words=emotion_words,
        label=label,
        tokens=int(real.sum()),
        emotion_tokens=int(real_words.sum()),
    )


def recogniser_loss(generator: Generator, batch: Batch, class_weights: Tensor) -> Tensor:
    """Return the class-weighted cross entropy of the recogniser over all real turns."""
    logits = generator.recogniser(batch.utterances)
    real = batch.labels != 0
    return functional.cross_entropy(
        logits[real].float(), batch.labels[real].long() - 1, weight=class_weights
    )


def class_weights(labels: Tensor, smoothing: float = 0.5) -> Tensor:
    """Return (7,) weights, frequency ** -smoothing scaled to mean 1 over the turns.

    Args:
        labels: 1..7 of every training turn.
        smoothing: 1 balances the classes fully, 0 not at all.
    """
    counts = torch.bincount(labels - 1, minlength=7).clamp(min=1).double()
    weights = counts**-smoothing
    return (weights * counts.sum() / (weights * counts).sum()).float()
