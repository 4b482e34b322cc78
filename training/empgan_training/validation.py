"""Scores by teacher forcing: perplexity of responses, and how well emotions are recognised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from empgan_rt.errors import DivergenceError

from .algorithms.mle import generator_loss
from .data.batch import batches
from .data.prepared import PreparedDialogue
from .metrics.classification import ClassificationScores, score_labels
from .model.generator import Generator

_LARGEST_MEAN = 700.0  # nats; exp() of more is no float64


@dataclass(frozen=True)
class TeacherForced:
    """Means over a split.

    Attributes:
        perplexity: per token, EOS included, UNK counted.
        tokens: how many those were.
        emotion_words: Psi_emo in nats; label: Psi_lab in nats.
    """

    perplexity: float
    tokens: int
    emotion_words: float
    label: float


def teacher_forced(
    generator: Generator, dialogues: Sequence[PreparedDialogue], max_response: int
) -> TeacherForced:
    """Return the teacher-forced scores of every sample of some dialogues, gold labels read."""
    device = next(generator.parameters()).device
    nats = emotion = label = 0.0
    tokens = samples = 0
    generator.eval()
    with torch.inference_mode():
        for batch in batches(dialogues, 64, max_response):
            loss = generator_loss(generator, batch.to(device))
            nats += float(loss.response) * loss.tokens
            emotion += float(loss.emotion_words) * batch.samples
            label += float(loss.label) * batch.samples
            tokens += loss.tokens
            samples += batch.samples
    if not nats / tokens < _LARGEST_MEAN:
        raise DivergenceError(
            f"a mean loss of {nats / tokens} nats per token", hint="lower the learning rate"
        )
    return TeacherForced(math.exp(nats / tokens), tokens, emotion / samples, label / samples)


def recogniser_scores(
    generator: Generator, dialogues: Sequence[PreparedDialogue]
) -> ClassificationScores:
    """Return how well the recogniser labels every turn that a context can hold."""
    device = next(generator.parameters()).device
    predicted: list[np.ndarray] = []
    gold: list[np.ndarray] = []
    generator.eval()
    with torch.inference_mode():
        for batch in batches(dialogues, 64, 1):
            best = generator.recogniser(batch.utterances.to(device)).argmax(-1).cpu() + 1
            real = batch.labels != 0
            predicted.append(best[real].numpy())
            gold.append(batch.labels[real].numpy())
    return score_labels(np.concatenate(predicted), np.concatenate(gold))
