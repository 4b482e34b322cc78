"""Dialogues to training batches: each dialogue is encoded once for all of its samples.

The encoders read left to right, so the context of a sample is a prefix of its dialogue's
encoding. A batch holds D dialogues and the S samples drawn from them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from empgan_rt.graph_spec import EOS, NUM_LABELS, SOS, UNKNOWN_LABEL
from empgan_rt.text.featurizer import DialogueFeatures, TurnFeatures, encoder_input

from .prepared import PreparedDialogue
from .reply_rule import REPLY_RULES


@dataclass(frozen=True)
class Counts:
    """What the means of a step are divided by, whatever share of it a batch holds.

    Attributes:
        samples: S; tokens: of all responses, EOS included; emotion_tokens: likewise.
        context_turns: turns that are encoded; labels: of these, those of each corpus (from 0 to the
            last one of the step) and each label 1..7.
        labelled: samples whose response has a label.
    """

    samples: int
    tokens: int
    emotion_tokens: int
    context_turns: int
    labels: tuple[tuple[int, ...], ...]
    labelled: int


@dataclass(frozen=True)
class Batch:
    """Axes: D dialogues, S samples, M turns, L tokens, N emotion words, T steps.

    Attributes:
        utterances: (D, M, L); emotion_words: (D, M, N); labels: (D, M), gold, 1..7, 8 of a turn
            that has none, 0 padding.
        corpus: (D,) the number of each dialogue's corpus.
        dialogue_of: (S,) row of each sample's dialogue.
        context_turns: (S,) turns of its context.
        response_in: (S, T) SOS and the response; response_out: (S, T) the response and EOS.
        emotion_in, emotion_out: (S, T') likewise for the response's emotion words.
        response_label: (S,) gold label of the response, 1..7, or 8.
        response_at, emotion_at: where response_out and emotion_out are no padding, as positions in
            them flattened: of a mask a GPU would have to count first.
        label_at, response_label_at: likewise, where labels and response_label are gold ones.
        feedback: (S, F) the turn after the response, and EOS; EOS alone where there is none.
        counts: of the whole step that this is a share of.
        weight: 0 where it only stands in for a share that is empty.
    """

    utterances: Tensor
    emotion_words: Tensor
    labels: Tensor
    corpus: Tensor
    dialogue_of: Tensor
    context_turns: Tensor
    response_in: Tensor
    response_out: Tensor
    emotion_in: Tensor
    emotion_out: Tensor
    response_label: Tensor
    feedback: Tensor
    response_at: Tensor
    emotion_at: Tensor
    label_at: Tensor
    response_label_at: Tensor
    counts: Counts
    weight: float = 1.0

    @property
    def samples(self) -> int:
        """S."""
        return self.dialogue_of.shape[0]

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device; from pinned memory the copy does not wait."""
        return self._of_each(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> Batch:
        """Return the batch in memory that a GPU can read by itself."""
        return self._of_each(Tensor.pin_memory)

    def _of_each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        changed: dict[str, Any] = {
            name: change(value) for name, value in values.items() if isinstance(value, Tensor)
        }
        return replace(self, **changed)


def collate(
    dialogues: Sequence[PreparedDialogue], max_response: int, share: slice = slice(None)
) -> Batch:
    """Return the batch of all samples of a step's dialogues, or of a share of them.

    Responses and feedback are cut to `max_response` words.
    """
    counts = _counts(dialogues, max_response)
    mine = dialogues[share]
    weight = 1.0 if mine else 0.0
    dialogues = mine or dialogues[:1]
    contexts = [DialogueFeatures(d.context, 0) for d in dialogues]
    inputs = encoder_input(contexts)
    rows = [(i, r) for i, d in enumerate(dialogues) for r in d.responses]
    responses = [dialogues[i].turns[r] for i, r in rows]
    words = [turn.token_ids[:max_response] for turn in responses]
    answers = [_feedback(dialogues[i], r)[:max_response] for i, r in rows]
    emotions = [[i for i in turn.emotion_ids if i != EOS] for turn in responses]
    response_out = _padded([[*ids, EOS] for ids in words])
    emotion_out = _padded([[*ids, EOS] for ids in emotions])
    labels = torch.from_numpy(inputs.emotion_labels)
    response_label = torch.tensor([turn.label for turn in responses])
    return Batch(
        utterances=torch.from_numpy(inputs.utterances),
        emotion_words=torch.from_numpy(inputs.emotion_words),
        labels=labels,
        corpus=torch.tensor([d.corpus for d in dialogues]),
        dialogue_of=torch.tensor([i for i, _ in rows]),
        context_turns=torch.tensor([r for _, r in rows]),
        response_in=_padded([[SOS, *ids] for ids in words]),
        response_out=response_out,
        emotion_in=_padded([[SOS, *ids] for ids in emotions]),
        emotion_out=emotion_out,
        response_label=response_label,
        feedback=_padded([[*ids, EOS] for ids in answers]),
        response_at=_real(response_out),
        emotion_at=_real(emotion_out),
        label_at=_real(labels * (labels != UNKNOWN_LABEL)),
        response_label_at=_real(response_label * (response_label != UNKNOWN_LABEL)),
        counts=counts,
        weight=weight,
    )


def _feedback(dialogue: PreparedDialogue, response: int) -> list[int]:
    """Return the tokens of the turn after a response; none if that is the last turn."""
    after = dialogue.turns[response + 1 : response + 2]
    return after[0].token_ids if after else []


def heard_out(dialogue: PreparedDialogue) -> PreparedDialogue:
    """Return a dialogue with one turn more, so that contexts hold every turn of its own."""
    nothing = TurnFeatures([EOS], [EOS], UNKNOWN_LABEL, 0)
    return replace(dialogue, turns=(*dialogue.turns, nothing), rule=REPLY_RULES["all"])


def _counts(dialogues: Sequence[PreparedDialogue], max_response: int) -> Counts:
    responses = [d.turns[r] for d in dialogues for r in d.responses]
    emotion_words = sum(i != EOS for turn in responses for i in turn.emotion_ids)
    found = Counter((d.corpus, turn.label) for d in dialogues for turn in d.context)
    names = range(1, NUM_LABELS + 1)
    corpora = range(1 + max(d.corpus for d in dialogues))
    return Counts(
        samples=len(responses),
        tokens=sum(min(len(t.token_ids), max_response) + 1 for t in responses),
        emotion_tokens=emotion_words + len(responses),
        context_turns=found.total(),
        labels=tuple(tuple(found[corpus, name] for name in names) for corpus in corpora),
        labelled=sum(turn.label != UNKNOWN_LABEL for turn in responses),
    )


def _real(ids: Tensor) -> Tensor:
    return ids.flatten().nonzero().squeeze(1)


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    padded = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return torch.from_numpy(padded)


def batches(
    dialogues: Sequence[PreparedDialogue], samples: int, max_response: int
) -> Iterator[Batch]:
    """Yield each dialogue once, shortest first, in batches of about `samples` samples."""
    for group in grouped(dialogues, samples):
        yield collate(group, max_response)


def grouped(
    dialogues: Sequence[PreparedDialogue],
    samples: int,
    shuffle: random.Random | None = None,
    bucket: int = 50,
) -> list[list[PreparedDialogue]]:
    """Return the dialogues of each batch, of similar length and about `samples` samples.

    Args:
        shuffle: decides the order; without it the shortest dialogues come first.
        bucket: batches whose dialogues are sorted by length together, where there is a shuffle.
    """
    order = list(dialogues)
    if shuffle is not None:
        shuffle.shuffle(order)
    window = max(1, bucket * samples // 6) if shuffle is not None else len(order)  # ~6 samples each
    groups: list[list[PreparedDialogue]] = []
    for start in range(0, len(order), window):
        part = sorted(order[start : start + window], key=_length)
        group: list[PreparedDialogue] = []
        count = 0
        for dialogue in part:
            if group and count + len(dialogue.responses) > samples:
                groups.append(group)
                group, count = [], 0
            group.append(dialogue)
            count += len(dialogue.responses)
        if group:
            groups.append(group)
    if shuffle is not None:
        shuffle.shuffle(groups)
    return groups


def _length(dialogue: PreparedDialogue) -> tuple[int, int]:
    return len(dialogue.turns), max(len(turn.token_ids) for turn in dialogue.turns)
