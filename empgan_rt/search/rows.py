"""The rows of a search: what each has written so far, and which one it descends from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..config import SearchConfig
from ..graph_spec import PAD, SOS, IntArray
from .expansion import Expansion
from .progress import Progress
from .rules import LengthArray
from .sampling import Float64Array, uniform_numbers

Number = TypeVar("Number", np.int32, np.float64)


class Rows:
    """B slots of K rows each, all of them inert at first: dead, and feeding PAD to themselves.

    Attributes:
        token_ids: (B, K) int32, the token each row took last; SOS at the start, PAD in dead rows.
        parents: (B, K) int32, the row of the same slot that each row descends from.
        sequences: (B, K, T) int32, the tokens of each row, PAD from its length on.
        uniform: (B, K, T) random numbers in [0, 1) of the rows that sample.
        scores: (B, K) sums of log-probabilities; -inf marks a dead row.
        lengths: (B,) tokens so far.
        active: (B,) 1 while a slot is searched, else 0.
    """

    def __init__(self, slots: int, beam_size: int, room: int = 1) -> None:
        shape = (slots, beam_size)
        self._beams = np.broadcast_to(np.arange(beam_size), shape)
        self._places = np.arange(slots * beam_size).reshape(shape)  # counted over all slots
        self.token_ids: IntArray = np.full(shape, PAD, np.int32)
        self.parents: IntArray = self._beams.astype(np.int32)
        self.sequences: IntArray = np.full((*shape, room), PAD, np.int32)
        self.uniform: Float64Array = np.zeros((*shape, room))
        self.scores: Float64Array = np.full(shape, -np.inf)
        self.lengths: LengthArray = np.zeros(slots, np.int64)
        self.active: LengthArray = np.zeros(slots, np.int64)

    @property
    def beam_size(self) -> int:
        """K, the rows of each slot."""
        return self._places.shape[1]

    def make_room(self, longest: int) -> None:
        """Let each row have as many tokens as `longest`, or as before if these were more."""
        if longest > self.sequences.shape[2]:
            self.sequences = _grown(self.sequences, longest)
            self.uniform = _grown(self.uniform, longest)

    def begin(self, slot: int, config: SearchConfig) -> None:
        """Begin the rows of a request in a slot, replacing what was there."""
        self.clear(slot)
        self.token_ids[slot] = SOS
        self.active[slot] = 1
        # The beams of a search descend from one row: equal rows would stay equal.
        self.scores[slot, : config.rows if config.sample else 1] = 0.0
        if config.sample:
            self.uniform[slot, : config.rows, : config.max_length] = uniform_numbers(config)

    def clear(self, slot: int) -> None:
        """Make a slot inert: its rows are dead and feed PAD to themselves."""
        self.active[slot] = self.lengths[slot] = 0
        self.scores[slot] = -np.inf
        self.sequences[slot] = self.token_ids[slot] = PAD
        self.parents[slot] = self._beams[slot]

    def rearranged(self, slots: Sequence[int], count: int) -> Rows:
        """Return `count` slots: first these ones as they stand, then inert ones."""
        other, kept = Rows(count, self.beam_size, self.sequences.shape[2]), list(slots)
        for name in ("token_ids", "parents", "sequences", "uniform", "scores", "lengths", "active"):
            getattr(other, name)[: len(kept)] = getattr(self, name)[kept]
        return other

    def live(self, slot: int) -> list[int]:
        """Return the rows of a slot that go on."""
        rows: list[int] = np.flatnonzero(self.scores[slot] > -np.inf).tolist()
        return rows

    def tokens_of(self, slot: int, row: int) -> tuple[int, ...]:
        """Return the tokens that a row has written."""
        return tuple(self.sequences[slot, row, : self.lengths[slot]].tolist())

    def descend(self, expansion: Expansion, progress: Progress) -> None:
        """Make every row the continuation of its parent by its token.

        Args:
            expansion: of these rows.
            progress: of them, before this step.
        """
        parents, token_ids = expansion.parents, expansion.token_ids
        dead = expansion.scores == -np.inf
        if np.count_nonzero(dead):
            token_ids[dead] = PAD
            parents[dead] = self._places[dead]
        self.token_ids = token_ids
        self.scores = expansion.scores
        room = self.sequences.shape[2]
        if self._places.shape[1] > 1:  # or each row descends from itself
            self.parents = (parents - self._places[:, :1]).astype(np.int32)
            self.sequences = self.sequences.reshape(-1, room).take(parents, axis=0)
        if progress.together:  # the rows of empty slots take PAD
            self.sequences[:, :, progress.longest] = token_ids
        else:
            self.sequences.reshape(-1)[self._places * room + self.lengths[:, None]] = token_ids
        self.lengths += self.active


def _grown(array: npt.NDArray[Number], room: int) -> npt.NDArray[Number]:
    """Return (B, K, `room`): an array (B, K, T), then zeros, which are PAD."""
    grown = np.zeros((*array.shape[:2], room), array.dtype)
    grown[:, :, : array.shape[2]] = array
    return grown
