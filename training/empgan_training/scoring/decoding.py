"""The samples of a split through any `Backend`: forced decoding, generation, recognition.

Samples of similar size are batched together; what is returned is in the order of the samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from empgan_rt.backend import Backend
from empgan_rt.config import SearchConfig
from empgan_rt.errors import DivergenceError
from empgan_rt.graph_spec import EOS, PAD, SOS, UNKNOWN_LABEL, EncoderInput, IntArray
from empgan_rt.search.decode import decode
from empgan_rt.text.bans import Bans
from empgan_rt.text.featurizer import DialogueFeatures, TurnFeatures, encoder_input

from ..data.prepared import PreparedDialogue, Sample
from ..progress import OnProgress, silent

BATCH_ROWS = 32
_LARGEST_MEAN = 700.0  # nats; exp() of more is no float64
Labels = Literal["gold", "recognised"]


def perplexity_of(nats: float, tokens: int) -> float:
    """Return exp of the mean negative log-probability per token.

    Raises:
        DivergenceError: the mean is not finite, or too large for a perplexity.
    """
    if not nats / tokens < _LARGEST_MEAN:
        raise DivergenceError(
            f"a mean loss of {nats / tokens} nats per token", hint="lower the learning rate"
        )
    return math.exp(nats / tokens)


def context_of(sample: Sample, labels: Labels, max_turns: int) -> DialogueFeatures:
    """Return the newest `max_turns` turns before a sample's response.

    Args:
        labels: "gold" keeps the corpus's labels, "recognised" asks the model's recogniser.
    """
    first = max(0, sample.response - max_turns)
    turns = sample.dialogue.turns[first : sample.response]
    if labels == "recognised":
        turns = tuple(map(_unlabelled, turns))
    return DialogueFeatures(turns, turns_dropped=first)


def targets_of(sample: Sample, max_response: int) -> list[int]:
    """Return the tokens that forced decoding scores: the response, cut, and EOS."""
    response = sample.dialogue.turns[sample.response]
    return [*response.token_ids[:max_response], EOS]


def forced_log_probs(
    backend: Backend,
    contexts: Sequence[DialogueFeatures],
    targets: Sequence[Sequence[int]],
    vocabulary_size: int,
    on_progress: OnProgress = silent,
) -> npt.NDArray[np.float64]:
    """Return the log-probability of each target sequence after its context: (S,), in nats.

    Args:
        targets: token ids that end with EOS, without SOS.
        vocabulary_size: V of the backend's model; every step asks for the whole distribution.
    """

    def size(i: int) -> tuple[int, int]:
        return len(targets[i]), len(contexts[i].turns)

    found = np.zeros(len(contexts))
    for rows in _batches(len(contexts), size, on_progress, "perplexity"):
        inputs = encoder_input([contexts[i] for i in rows])
        wanted = [targets[i] for i in rows]
        found[rows] = _forced_batch(backend, inputs, wanted, vocabulary_size)
    return found


def _forced_batch(
    backend: Backend, inputs: EncoderInput, targets: Sequence[Sequence[int]], vocabulary_size: int
) -> npt.NDArray[np.float64]:
    """Return (B,) log-probabilities; one beam a dialogue takes the gold tokens."""
    batch, steps = len(targets), max(map(len, targets))
    gold: IntArray = np.full((batch, steps), PAD, np.int32)
    for row, target in enumerate(targets):
        gold[row, : len(target)] = target
    state = backend.open(batch, 1)
    backend.admit(state, np.arange(batch, dtype=np.int32), backend.encode(inputs))
    token_ids: IntArray = np.full((batch, 1), SOS, np.int32)
    parents: IntArray = np.zeros((batch, 1), np.int32)
    nothing: IntArray = np.full((batch, 1, 1), PAD, np.int32)
    total = np.zeros(batch)
    for t in range(steps):
        candidates = backend.step(state, token_ids, parents, nothing, vocabulary_size)
        place = (candidates.token_ids[:, 0] == gold[:, t, None]).argmax(axis=1)  # (B,)
        log_probs = candidates.log_probs[np.arange(batch), 0, place]
        total += np.where(gold[:, t] == PAD, 0.0, log_probs)
        token_ids = np.where(gold[:, t, None] == EOS, PAD, gold[:, t, None])  # ended rows idle
    return total


def generate(
    backend: Backend,
    contexts: Sequence[DialogueFeatures],
    search: SearchConfig,
    vocabulary_size: int,
    on_progress: OnProgress = silent,
) -> list[tuple[int, ...]]:
    """Return the best reply to each context as token ids; empty if the rules allow none.

    Raises:
        DivergenceError: the model computed NaN or infinity.
    """

    def size(i: int) -> tuple[int, int]:
        turns = contexts[i].turns
        return len(turns), max(len(turn.token_ids) for turn in turns)

    replies: list[tuple[int, ...]] = [()] * len(contexts)
    title = f"generation, beam {search.beam_size}"
    for rows in _batches(len(contexts), size, on_progress, title):
        encoded = backend.encode(encoder_input([contexts[i] for i in rows]))
        settings = [search] * len(rows)
        found = decode(backend, encoded, settings, [Bans()] * len(rows), vocabulary_size)
        for i, hypotheses in zip(rows, found, strict=True):
            replies[i] = hypotheses[0].token_ids if hypotheses else ()
    return replies


def recognised(
    backend: Backend,
    dialogues: Sequence[PreparedDialogue],
    max_turns: int,
    on_progress: OnProgress = silent,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return what is recognised in every turn with a gold label that a context can hold.

    They are the probabilities (n, 7) of labels 1..7, and the gold label of each turn (n,).
    """

    def size(i: int) -> tuple[int, int]:
        turns = dialogues[i].turns
        return len(turns), max(len(turn.token_ids) for turn in turns)

    found: list[npt.NDArray[np.float32]] = []
    gold: list[int] = []
    for rows in _batches(len(dialogues), size, on_progress, "recogniser"):
        turns = [dialogues[i].context[:max_turns] for i in rows]
        inputs = encoder_input([DialogueFeatures(tuple(map(_unlabelled, t)), 0) for t in turns])
        probs = backend.encode(inputs).label_probs  # (B, M, 7)
        for row, kept in enumerate(turns):
            labelled = [m for m, turn in enumerate(kept) if turn.label != UNKNOWN_LABEL]
            found.append(probs[row, labelled])
            gold += [kept[m].label for m in labelled]
    return np.concatenate(found), np.array(gold, np.int64)


def _unlabelled(turn: TurnFeatures) -> TurnFeatures:
    return TurnFeatures(turn.token_ids, turn.emotion_ids, UNKNOWN_LABEL, turn.tokens_dropped)


def _batches(
    count: int, size: Callable[[int], tuple[int, int]], on_progress: OnProgress, title: str
) -> Iterator[list[int]]:
    """Yield the positions 0..count-1 in batches of similar size, and tell how far they are."""
    order = sorted(range(count), key=size)
    with on_progress(title, count) as reporter:
        for start in range(0, count, BATCH_ROWS):
            rows = order[start : start + BATCH_ROWS]
            yield rows
            reporter.update(start + len(rows))
