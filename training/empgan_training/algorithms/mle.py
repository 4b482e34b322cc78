"""Maximum likelihood: the generator's loss, Eq. 8 and 9, and the recogniser's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from empgan_rt.graph_spec import UNKNOWN_LABEL

from ..data.batch import Batch
from ..data.prepared import PreparedDialogue
from ..model.encoders import lengths_of
from ..model.generator import Generator, label_probs
from ..model.memory import Memory
from ..model.next_word import summed_nats
from ..model.recogniser import EmotionRecogniser

Losses = Mapping[str, Tensor]  # "total" is minimised, the others are logged


class GeneratorLoss(NamedTuple):
    """Eq. 9 and its parts, each a mean: over tokens, emotion words and samples.

    The means are over the whole step (`Batch.counts`), so those of its shares add up. A generator
    without the stream that a part is read from has None there, and so has `label` where no
    response of the step has a label.

    Attributes:
        total: Psi_g.
        response: cross entropy of the response, nats per token, EOS included.
        emotion_words: Psi_emo, nats per emotion word, EOS included.
        label: Psi_lab, nats per sample whose response has a label.
    """

    total: Tensor
    response: Tensor
    emotion_words: Tensor | None
    label: Tensor | None

    def parts(self) -> Losses:
        """Return the total and the parts that exist, by name."""
        parts = {
            "total": self.total,
            "response": self.response,
            "emotion_words": self.emotion_words,
            "label": self.label,
        }
        return {name: part for name, part in parts.items() if part is not None}


def sample_memory(generator: Generator, batch: Batch) -> Memory:
    """Return the memory of each sample; the labels read are the gold ones, as in the paper.

    Where a turn has none, what the recogniser, which is frozen by now, says of it stands in.
    """
    dtype = generator.word_embedding.weight.dtype
    if sum(map(sum, batch.counts.labels)) == batch.counts.context_turns:
        probs = functional.one_hot(batch.labels.long(), 8)[..., 1:].to(dtype)
    else:
        probs = label_probs(_recognised(generator.recogniser, batch.utterances), batch.labels)
        probs = probs.to(dtype)
    return generator.memory(
        batch.utterances, batch.emotion_words, probs, batch.context_turns, batch.dialogue_of
    )


def _recognised(recogniser: EmotionRecogniser, utterances: Tensor) -> Tensor:
    """Return the logits (D, M, 7) of a recogniser that is not trained, without dropout."""
    training = recogniser.training
    recogniser.eval()
    with torch.no_grad():
        logits: Tensor = recogniser(utterances)
    recogniser.train(training)
    return logits


def generator_loss(generator: Generator, batch: Batch) -> GeneratorLoss:
    """Return Psi_g of one batch by teacher forcing (Eq. 9)."""
    memory = sample_memory(generator, batch)
    decoder = generator.decoder
    read, hidden = generator.readable(memory)
    embedded = generator.word_embedding(batch.response_in)
    output = decoder(embedded, lengths_of(batch.response_in), hidden, read)
    targets = batch.response_out.flatten()[batch.response_at]
    nats = summed_nats(_entries(output, batch.response_at), decoder.vocabulary, targets)
    response = nats / batch.counts.tokens
    emotion_words = _emotion_word_loss(generator, memory, batch)
    label = None
    if generator.label_head is not None and batch.counts.labelled:
        newest_label = memory.newest[:, -generator.config.hidden_size :]
        at = batch.response_label_at
        wanted = batch.response_label[at] - 1
        nats = summed_nats(newest_label.index_select(0, at), generator.label_head, wanted)
        label = nats / batch.counts.labelled
    total = response
    for part in (emotion_words, label):
        if part is not None:
            total = total + part
    return GeneratorLoss(total, response, emotion_words, label)


def _emotion_word_loss(generator: Generator, memory: Memory, batch: Batch) -> Tensor | None:
    """Return Psi_emo (Eq. 8)."""
    auxiliary, embedding = generator.emotion_decoder, generator.emotion_embedding
    if auxiliary is None or embedding is None:
        return None
    states = auxiliary(embedding(batch.emotion_in), lengths_of(batch.emotion_in), memory.emotional)
    targets = batch.emotion_out.flatten()[batch.emotion_at]
    nats = summed_nats(_entries(states, batch.emotion_at), auxiliary.vocabulary, targets)
    return nats / batch.counts.emotion_tokens


def _entries(states: Tensor, at: Tensor) -> Tensor:
    """Return the states (W, H) at positions (W,) of (B, T, H)."""
    return states.flatten(0, 1).index_select(0, at)


def recogniser_loss(generator: Generator, batch: Batch, weights: Tensor) -> Tensor:
    """Return the weighted cross entropy of the recogniser over all turns with a label.

    Args:
        weights: (C, 7) of each label in each corpus.
    """
    logits = generator.recogniser(batch.utterances)
    gold = batch.labels.flatten()[batch.label_at].long() - 1
    corpus = batch.corpus.unsqueeze(1).expand_as(batch.labels).flatten()[batch.label_at]
    nats = functional.cross_entropy(
        _entries(logits, batch.label_at).float(), gold, reduction="none"
    )
    found = (nats * weights[corpus, gold]).sum()
    counts = torch.tensor(batch.counts.labels, device=weights.device)
    weight = (counts * weights[: len(counts)]).sum()
    return found / weight if any(map(any, batch.counts.labels)) else found  # no label, no loss


def corpus_weights(dialogues: Iterable[PreparedDialogue], corpora: int, smoothing: float) -> Tensor:
    """Return (C, 7) `class_weights` of each corpus among its own turns that have a label.

    A label that is seldom in one corpus would weigh little there because another corpus has many.

    Args:
        corpora: C.
    """
    labels: list[list[int]] = [[] for _ in range(corpora)]
    for dialogue in dialogues:
        given = (turn.label for turn in dialogue.turns if turn.label != UNKNOWN_LABEL)
        labels[dialogue.corpus].extend(given)
    rows = [class_weights(torch.tensor(own, dtype=torch.int64), smoothing) for own in labels]
    return torch.stack(rows)


def class_weights(labels: Tensor, smoothing: float = 0.5) -> Tensor:
    """Return (7,) weights, frequency ** -smoothing scaled to mean 1 over the turns.

    Args:
        labels: 1..7 of every training turn.
        smoothing: 1 balances the classes fully, 0 not at all.
    """
    counts = torch.bincount(labels - 1, minlength=7).clamp(min=1).double()
    weights = counts**-smoothing
    return (weights * counts.sum() / (weights * counts).sum()).float()
