"""An add-one trigram language model: the baseline whose perplexity a neural model has to beat.

    p(w | u, v) = (c(u, v, w) + 1) / (c(u, v) + V)        (Laplace; Jurafsky and Martin, ch. 3)
    perplexity  = exp(-1/T * sum_t log p(w_t | w_{t-2}, w_{t-1}))

T counts every token and one EOS per sequence; UNK is an id like any other, as it is for the
neural model. Before a sequence stand two start marks, which are never predicted. The V
probabilities of a context sum to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
import numpy.typing as npt

from empgan_rt.errors import DataError, InputError
from empgan_rt.graph_spec import EOS

IdLists = Sequence[Sequence[int]]
Keys = npt.NDArray[np.int64]

MAX_VOCABULARY = 1_000_000  # (V + 1) ** 3 has to fit into int64


@dataclass(frozen=True, eq=False)
class AddOneTrigram:
    """Counts of trigrams and of the contexts before them, each as sorted keys; make it with `fit`.

    Attributes:
        vocabulary_size: V; ids run from 0 to V - 1.
        trigrams, trigram_counts: (number of different trigrams,) int64.
        contexts, context_counts: (number of different contexts,) int64.
    """

    vocabulary_size: int
    trigrams: Keys
    trigram_counts: Keys
    contexts: Keys
    context_counts: Keys

    @classmethod
    def fit(cls, sequences: IdLists, vocabulary_size: int) -> Self:
        """Return the model of these sequences of ids, given without SOS and EOS.

        Raises:
            InputError: the vocabulary has no room for EOS, or more than a million ids.
            DataError: no sequence, an id outside the vocabulary, or an EOS within a sequence.
        """
        if not EOS < vocabulary_size <= MAX_VOCABULARY:
            raise InputError(
                f"vocabulary_size is {vocabulary_size}", hint=f"give {EOS + 1} to {MAX_VOCABULARY}"
            )
        context_keys, trigram_keys = _keys(sequences, vocabulary_size)
        return cls(
            vocabulary_size,
            *np.unique(trigram_keys, return_counts=True),
            *np.unique(context_keys, return_counts=True),
        )

    def log_probabilities(self, sequences: IdLists) -> npt.NDArray[np.float64]:
        """Return log p of every token and of each EOS, sequence after sequence: (T,), in nats.

        Raises:
            DataError: no sequence, an id outside the vocabulary, or an EOS within a sequence.
        """
        context_keys, trigram_keys = _keys(sequences, self.vocabulary_size)
        hits = _look_up(self.trigrams, self.trigram_counts, trigram_keys)
        seen = _look_up(self.contexts, self.context_counts, context_keys)
        return np.log((hits + 1.0) / (seen + self.vocabulary_size))

    def perplexity(self, sequences: IdLists) -> float:
        """Return the perplexity per token, one EOS per sequence counted; lower is better.

        Raises:
            DataError: no sequence, an id outside the vocabulary, or an EOS within a sequence.
        """
        return float(np.exp(-np.mean(self.log_probabilities(sequences))))


def _keys(sequences: IdLists, vocabulary_size: int) -> tuple[Keys, Keys]:
    """Return (T,) keys of contexts and (T,) keys of trigrams, one for each predicted token."""
    if not sequences:
        raise DataError("0 sequences given, at least 1 wanted")
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    ids = np.fromiter(chain.from_iterable(sequences), dtype=np.int64, count=int(lengths.sum()))
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary_size:
        raise DataError(
            f"ids run from {ids.min()} to {ids.max()}, 0 to {vocabulary_size - 1} wanted"
        )
    if ends := int(np.sum(ids == EOS)):
        raise DataError(
            f"{ends} of {ids.size} ids are EOS, 0 wanted", hint="it is appended to each sequence"
        )
    base = vocabulary_size + 1  # one id more: the start mark
    stops = np.cumsum(lengths + 3)  # two start marks before, one EOS after
    stream = np.full(int(stops[-1]), vocabulary_size, dtype=np.int64)
    stream[stops - 1] = EOS
    predicted = np.ones(stream.size, dtype=np.bool_)
    for start in (0, 1):
        predicted[stops - lengths - 3 + start] = False
    inner = predicted.copy()
    inner[stops - 1] = False
    stream[inner] = ids
    here = np.flatnonzero(predicted)
    contexts = stream[here - 2] * base + stream[here - 1]
    return contexts, contexts * base + stream[here]


def _look_up(keys: Keys, counts: Keys, wanted: Keys) -> Keys:
    """Return the count of each wanted key, 0 if it is not among the sorted keys."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, counts[places], 0)
