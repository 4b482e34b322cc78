"""A backend that plays a language model given as a function: search tests need no bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from empgan_rt.backend import Encoded
from empgan_rt.graph_spec import (
    EOS,
    NUM_LABELS,
    PAD,
    SOS,
    STRUCK,
    Candidates,
    EncoderInput,
    FloatArray,
    IntArray,
)

Prefix = tuple[int, ...]
LanguageModel = Callable[[int, Prefix], FloatArray]  # dialogue, tokens so far -> (V,) log-probs


def normalised(logits: npt.NDArray[np.float64]) -> FloatArray:
    """Return log-softmax of `logits` as float32."""
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), np.float32)


def random_model(seed: int, vocabulary_size: int, *, ties: bool = False) -> LanguageModel:
    """Return a model with unrelated probabilities after every prefix of every dialogue.

    With `ties`, log-probabilities are few whole numbers (and sum to no 1): equal ones abound.
    """

    def log_probs(dialogue: int, prefix: Prefix) -> FloatArray:
        generator = np.random.default_rng([seed, dialogue, *prefix])
        if ties:
            return -generator.integers(1, 4, vocabulary_size).astype(np.float32)
        return normalised(generator.normal(scale=1.5, size=vocabulary_size))

    return log_probs


def table_model(
    vocabulary_size: int, table: dict[Prefix, dict[int, float]], default: dict[int, float]
) -> LanguageModel:
    """Return a model with the probabilities of `table`, of `default` after any other prefix."""

    def log_probs(dialogue: int, prefix: Prefix) -> FloatArray:
        out = np.full(vocabulary_size, -50.0, np.float32)
        for token, probability in table.get(prefix, default).items():
            out[token] = np.log(probability)
        return out

    return log_probs


@dataclass
class _State:
    prefixes: list[list[Prefix]]
    dialogues: list[int]


class ScriptedBackend:
    """Computes steps by calling `model`; keeps every step's arguments in `steps`.

    Rows that are fed PAD are dead: they descend from themselves and return NaN, which must never
    matter. `spare` candidates
    are returned beyond those asked for; with a large number, that is the whole vocabulary. Nothing
    is struck but what `banned` holds.
    """

    device = "cpu"
    precision = "fp32"

    def __init__(self, model: LanguageModel, vocabulary_size: int, *, spare: int = 0) -> None:
        self.model = model
        self.vocabulary_size = vocabulary_size
        self.spare = spare
        self.steps: list[tuple[IntArray, IntArray, IntArray, int]] = []

    def encode(self, inputs: EncoderInput) -> Encoded:
        return self.encoded(range(len(inputs.utterances)))

    def encoded(self, dialogues: Sequence[int]) -> Encoded:
        """Return these dialogues, as the model numbers them, in one batch."""
        rows = len(dialogues)
        return Encoded(rows, np.zeros((rows, 1, NUM_LABELS), np.float32), list(dialogues))

    def open(self, slots: int, beam_size: int) -> _State:
        return _State([[() for _ in range(beam_size)] for _ in range(slots)], [0] * slots)

    def admit(self, state: _State, slots: IntArray, encoded: Encoded) -> None:
        for slot, dialogue in zip(slots.tolist(), encoded.tensors, strict=True):
            state.dialogues[slot] = dialogue
            state.prefixes[slot] = [()] * len(state.prefixes[slot])

    def rearranged(self, state: _State, slots: IntArray, count: int) -> _State:
        other = self.open(count, len(state.prefixes[0]))
        for place, slot in enumerate(slots.tolist()):
            other.prefixes[place] = state.prefixes[slot]
            other.dialogues[place] = state.dialogues[slot]
        return other

    def step(
        self,
        state: _State,
        token_ids: IntArray,
        parents: IntArray,
        banned: IntArray,
        num_candidates: int,
    ) -> Candidates:
        shape = (len(state.prefixes), len(state.prefixes[0]))
        assert token_ids.shape == parents.shape == banned.shape[:2] == shape
        assert token_ids.dtype == parents.dtype == banned.dtype == np.int32
        dead = token_ids == PAD
        assert (parents[dead] == np.broadcast_to(np.arange(shape[1]), shape)[dead]).all()
        assert 1 <= num_candidates <= self.vocabulary_size
        self.steps.append((token_ids.copy(), parents.copy(), banned.copy(), num_candidates))
        state.prefixes = [
            [
                prefixes[parent] + ((token,) if token != SOS else ())
                for parent, token in zip(parents_of, tokens, strict=True)
            ]
            for prefixes, parents_of, tokens in zip(
                state.prefixes, parents.tolist(), token_ids.tolist(), strict=True
            )
        ]
        log_probs = np.array(
            [
                [self._row(dialogue, prefix) for prefix in prefixes]
                for dialogue, prefixes in zip(state.dialogues, state.prefixes, strict=True)
            ]
        )
        np.put_along_axis(log_probs, banned, STRUCK, axis=2)
        count = min(num_candidates + self.spare, self.vocabulary_size)
        best = np.argsort(-log_probs, axis=2, kind="stable")[:, :, :count].astype(np.int32)
        return Candidates(best, np.take_along_axis(log_probs, best, axis=2))

    def close(self) -> None:
        self.steps.clear()

    def _row(self, dialogue: int, prefix: Prefix) -> FloatArray:
        if PAD in prefix:
            return np.full(self.vocabulary_size, np.nan, np.float32)
        assert EOS not in prefix, "a search went on after the end of sequence"
        return self.model(dialogue, prefix)
