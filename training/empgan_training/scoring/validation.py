"""Scores during training: perplexity of responses, what greedy replies look like, and how well
emotions are recognised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from empgan_rt.config import SearchConfig
from empgan_rt.text.featurizer import Featurizer

from ..algorithms.mle import generator_loss
from ..data.batch import batches
from ..data.prepared import PreparedDialogue, Sample, all_samples
from ..eager import EagerBackend
from ..metrics.calibration import best_temperature
from ..metrics.distinct import score_distinct
from ..model.generator import Generator
from ..progress import OnProgress, silent
from .decoding import context_of, generate, perplexity_of
from .recognition import RecogniserScores, score_recognised


@dataclass(frozen=True)
class TeacherForced:
    """Means over a split.

    Attributes:
        perplexity: per token, EOS included, UNK counted.
        tokens: how many those were.
        emotion_words: Psi_emo, nats per emotion word, EOS included; None without that head.
        label: Psi_lab, nats per sample; None without that head, or without any label.
    """

    perplexity: float
    tokens: int
    emotion_words: float | None
    label: float | None


def teacher_forced(
    generator: Generator, dialogues: Sequence[PreparedDialogue], max_response: int
) -> TeacherForced:
    """Return the teacher-forced scores of every sample of some dialogues, gold labels read.

    Raises:
        DivergenceError: the mean loss is not finite, or too large for a perplexity.
    """
    device = next(generator.parameters()).device
    nats = emotion = label = 0.0
    tokens = emotion_tokens = labelled = 0
    generator.eval()
    with torch.inference_mode():
        for batch in batches(dialogues, 64, max_response):
            loss = generator_loss(generator, batch.to(device))
            nats += float(loss.response) * batch.counts.tokens
            if loss.emotion_words is not None:
                emotion += float(loss.emotion_words) * batch.counts.emotion_tokens
            if loss.label is not None:
                label += float(loss.label) * batch.counts.labelled
                labelled += batch.counts.labelled
            tokens += batch.counts.tokens
            emotion_tokens += batch.counts.emotion_tokens
    perplexity = perplexity_of(nats, tokens)
    return TeacherForced(
        perplexity,
        tokens,
        emotion / emotion_tokens if generator.emotion_decoder is not None else None,
        label / labelled if labelled else None,
    )


def evenly(dialogues: Sequence[PreparedDialogue], count: int) -> list[Sample]:
    """Return about `count` samples, spread evenly over some dialogues."""
    samples = all_samples(dialogues)
    return samples[:: max(1, len(samples) // count)][:count]


def greedy_replies(
    generator: Generator,
    featurizer: Featurizer,
    samples: Sequence[Sample],
    max_length: int,
    on_progress: OnProgress = silent,
) -> dict[str, Any]:
    """Return what greedy replies look like: Distinct, mean length, and the first few themselves."""
    tokenizer, backend = featurizer.tokenizer, EagerBackend(generator)
    contexts = [context_of(sample, "gold", featurizer.limits.max_turns) for sample in samples]
    search = SearchConfig(beam_size=1, max_length=max_length)
    replies = generate(backend, contexts, search, len(tokenizer.vocabulary), on_progress)
    texts = [tokenizer.words_of(reply) for reply in replies]
    distinct = score_distinct(texts)
    return {
        "distinct_1": distinct.distinct_1,
        "distinct_2": distinct.distinct_2,
        "mean_length": sum(map(len, texts)) / len(texts),
        "replies": {s.id: " ".join(t) for s, t in zip(samples[:5], texts[:5], strict=True)},
    }


def recogniser_scores(
    generator: Generator, dialogues: Sequence[PreparedDialogue]
) -> RecogniserScores:
    """Return how well the recogniser labels every turn that a context can hold and has a label."""
    logits, gold = _recogniser_logits(generator, dialogues)
    return score_recognised(torch.softmax(torch.from_numpy(logits), -1).numpy(), gold)


def calibrate_recogniser(generator: Generator, dialogues: Sequence[PreparedDialogue]) -> None:
    """Divide the recogniser's logits by the temperature that fits some dialogues best.

    It becomes part of the last layer's weights, so nothing that reads them need know of it.
    """
    logits, gold = _recogniser_logits(generator, dialogues)
    temperature = best_temperature(logits, gold - 1)
    with torch.no_grad():
        for parameter in generator.recogniser.classify.parameters():
            parameter.div_(temperature)


def _recogniser_logits(
    generator: Generator, dialogues: Sequence[PreparedDialogue]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return logits (n, 7) and gold labels (n,), 1..7, of every turn with a label in a context."""
    device = next(generator.parameters()).device
    found: list[npt.NDArray[np.float32]] = []
    gold: list[npt.NDArray[np.int64]] = []
    generator.eval()
    with torch.inference_mode():
        for batch in batches(dialogues, 64, 1):
            logits = generator.recogniser(batch.utterances.to(device)).float().cpu()
            found.append(logits.flatten(0, 1)[batch.label_at].numpy())
            gold.append(batch.labels.flatten()[batch.label_at].long().numpy())
    return np.concatenate(found), np.concatenate(gold)
