"""What the requests of a search allow, as arrays over slots: bans, penalties and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import SearchConfig
from ..errors import DivergenceError
from ..graph_spec import EOS, PAD, SOS, STRUCK, UNK, Candidates, IntArray
from ..text.bans import Bans
from .ngram import completions
from .phrase_ends import phrase_ends
from .sampling import Float64Array

BoolArray = npt.NDArray[np.bool_]
LengthArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SearchRules:
    """One line for each of the B slots, read from its SearchConfig.

    Attributes:
        outside: (B, K) float64, -inf for rows that beam search may not use, else 0; a slot that
            samples has no row for it.
        narrower: whether there are such rows.
        min_length, max_length: (B,) tokens.
        num_candidates: (B,) of each row, so many as make the steps of each slot exact.
        temperature, top_k, top_p: (B,) of the slots that sample.
        sampled: the slots that sample, ascending.
    """

    outside: Float64Array
    narrower: bool
    min_length: LengthArray
    max_length: LengthArray
    num_candidates: LengthArray
    temperature: Float64Array
    top_k: LengthArray
    top_p: Float64Array
    sampled: LengthArray
    _always_banned: IntArray  # (B, K, S); column 0 is for the end of sequence, and PAD
    _ngram_sizes: tuple[tuple[int, BoolArray | None], ...]  # n, and (B, 1, 1) the slots it holds in
    _phrases: tuple[tuple[int, Bans], ...]  # of the slots that ban some
    _penalty: Float64Array | None  # (B, 1, 1); None if no slot has one

    @classmethod
    def of(
        cls, configs: Sequence[SearchConfig], bans: Sequence[Bans], beam_size: int
    ) -> SearchRules:
        """Return the rules of slots with these configs and these bans, K = beam_size."""
        sample = np.array([c.sample for c in configs])
        beams = np.array([0 if c.sample else c.beam_size for c in configs])
        penalty = np.array([c.repetition_penalty for c in configs])
        sizes = np.array([c.no_repeat_ngram for c in configs])
        lists = [
            (PAD, PAD, SOS, *(() if config.allow_unknown else (UNK,)), *own.ids)
            for config, own in zip(configs, bans, strict=True)
        ]
        width = max(map(len, lists))
        padded = np.array([[*ids, *[PAD] * (width - len(ids))] for ids in lists], np.int32)
        inside = np.arange(beam_size) < beams[:, None]
        return cls(
            outside=np.where(inside, 0.0, -np.inf),
            narrower=not inside.all(),
            min_length=np.array([c.min_length for c in configs]),
            max_length=np.array([c.max_length for c in configs]),
            num_candidates=np.array([c.candidates for c in configs]),
            temperature=np.array([c.temperature for c in configs]),
            top_k=np.array([c.top_k for c in configs]),
            top_p=np.array([c.top_p for c in configs]),
            sampled=np.flatnonzero(sample),
            _always_banned=np.repeat(padded[:, None, :], beam_size, axis=1),
            _ngram_sizes=tuple(
                (int(n), None if (sizes == n).all() else (sizes == n)[:, None, None])
                for n in sorted({*sizes[sizes > 0].tolist()})
            ),
            _phrases=tuple((slot, own) for slot, own in enumerate(bans) if own.ends),
            _penalty=penalty[:, None, None] if (penalty > 1.0).any() else None,
        )

    def banned(
        self, sequences: IntArray, lengths: LengthArray, *, may_end: bool, together: bool
    ) -> IntArray:
        """Return (B, K, S) int32 ids to strike, padded with PAD; they are to be read only.

        Args:
            sequences: (B, K, T) tokens of each row, PAD from `lengths` on.
            lengths: (B,) tokens so far; T is the greatest.
            may_end: whether no reply is shorter than its minimum.
            together: whether all have T tokens.
        """
        columns = self._always_banned
        if not may_end:
            columns = columns.copy()
            columns[:, :, 0] = ((lengths < self.min_length) * np.int32(EOS))[:, None]
        extra = []
        for n, has in self._ngram_sizes:
            ids = completions(sequences, lengths, n, has, together=together)
            if ids is not None:
                extra.append(ids)
        if self._phrases:
            ids = phrase_ends(sequences, lengths, self._phrases)
            if ids is not None:
                extra.append(ids)
        return np.concatenate((columns, *extra), axis=2) if extra else columns

    def counted(
        self, candidates: Candidates, sequences: IntArray, scores: Float64Array
    ) -> tuple[Float64Array, bool]:
        """Return (B, K, C) log-probabilities as the search counts them, and if any is struck.

        Struck candidates have -inf; those already in their row are multiplied by the repetition
        penalty. Their order stays.

        Args:
            candidates: of one step.
            sequences: (B, K, T) tokens of each row, padded with PAD.
            scores: (B, K), -inf in dead rows; their candidates may hold anything.

        Raises:
            DivergenceError: a log-probability of a live row is NaN or positive infinity.
        """
        raw = candidates.log_probs
        # Rounding can lift a log-probability above 0; the bounds of the search rest on <= 0.
        counted: Float64Array = np.minimum(raw, 0.0, dtype=np.float64)
        kept = np.abs(raw) < -STRUCK / 2
        struck = bool(np.count_nonzero(kept) < kept.size)
        if struck:
            if not (raw[scores > -np.inf] < np.inf).all():
                raise DivergenceError(
                    "the decoder returned a log-probability that is NaN or infinite",
                    hint="check the bundle with `empgan-rt inspect --verify`",
                )
            counted[~kept] = -np.inf
        if self._penalty is not None:
            seen = (candidates.token_ids[..., None] == sequences[:, :, None]).any(axis=-1)
            counted *= np.where(seen, self._penalty, 1.0)
        return counted, struck
