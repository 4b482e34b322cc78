"""Turns to vectors: each distinct turn once, among turns of its own length, and remembered.

What the turn encoder makes of a turn depends on that turn alone. So the turns of a batch need not
run padded to the longest of them, and one that was read before need not be read again: in a
conversation that is all of them but the last two. Measured: docs/decisions/0014-two-encoders.md.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..graph_spec import EncoderInput, FloatArray, IntArray

START_ROWS = 4  # a step of a recurrence costs as much as so many rows in it, whatever they are
MAX_TOKENS = 8192  # of a run, padding included, which bounds its memory
_ID_BYTES = 4  # int32

Key = tuple[bytes, bytes]  # the token ids of a turn, and the ids of its emotion words
_Places = list[tuple[int, int]]


class TurnReader:
    """Runs the turn encoder, and remembers the turns that were used last.

    Args:
        run: (U, L) token ids and (U, N) emotion-word ids to (U, D) vectors.
        width: D.
        capacity: turns that are remembered; 0 for none.

    Raises:
        InputError: capacity is below 0.
    """

    def __init__(
        self, run: Callable[[Mapping[str, IntArray]], FloatArray], width: int, capacity: int
    ) -> None:
        if capacity < 0:
            raise InputError(f"turn_cache is {capacity}", hint="give 0 or more turns")
        self._run, self._width, self._capacity = run, width, capacity
        self._known: OrderedDict[Key, FloatArray] = OrderedDict()  # the last used one at the end

    def read(self, dialogues: Sequence[Sequence[Key]]) -> FloatArray:
        """Return the vectors (B, M, D) of the turns of B dialogues, 0 where a dialogue has none.

        Args:
            dialogues: from `turn_keys`, or the last turns of each.
        """
        shape = (len(dialogues), max(map(len, dialogues)), self._width)
        vectors: FloatArray = np.zeros(shape, np.float32)
        unknown: dict[Key, _Places] = {}
        for b, keys in enumerate(dialogues):
            for m, key in enumerate(keys):
                if key in self._known:
                    self._known.move_to_end(key)
                    vectors[b, m] = self._known[key]
                else:
                    unknown.setdefault(key, []).append((b, m))
        # Keys are as long as their words.
        ordered = sorted(unknown.items(), key=lambda item: (*map(len, item[0]),), reverse=True)
        for part in groups([len(key[0]) // _ID_BYTES for key, _ in ordered]):
            keys = [key for key, _ in ordered[part]]
            found = self._run(
                {
                    "utterances": _padded([tokens for tokens, _ in keys]),
                    "emotion_words": _padded([words for _, words in keys]),
                }
            )
            for (key, places), vector in zip(ordered[part], found, strict=True):
                for b, m in places:
                    vectors[b, m] = vector
                self._remember(key, vector)
        return vectors

    def clear(self) -> None:
        """Forget all turns."""
        self._known.clear()

    def _remember(self, key: Key, vector: FloatArray) -> None:
        if self._capacity:
            self._known[key] = vector.copy()  # not a view, which would keep the whole run
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)


def turn_keys(inputs: EncoderInput) -> list[list[Key]]:
    """Return the ids of each turn of each dialogue, without padding.

    Raises:
        InputError: an array is not right-padded.
    """
    turns = _lengths("emotion_labels", inputs.emotion_labels)
    tokens = _lengths("utterances", inputs.utterances)
    words = _lengths("emotion_words", inputs.emotion_words)
    return [
        [
            (
                inputs.utterances[b, m, : tokens[b][m]].tobytes(),
                inputs.emotion_words[b, m, : words[b][m]].tobytes(),
            )
            for m in range(count)
        ]
        for b, count in enumerate(turns)
    ]


def groups(lengths: Sequence[int]) -> list[slice]:
    """Return how to cut rows into runs so that they cost least together.

    A run costs its longest length times `START_ROWS` more than its rows; no run is larger than
    `MAX_TOKENS`, unless it is of one row.

    Args:
        lengths: of the rows, longest first, all above 0.
    """
    rows = len(lengths)
    starts = [i for i in range(rows) if i == 0 or lengths[i] != lengths[i - 1]]
    ends = [i for i in range(1, rows + 1) if i == rows or lengths[i] != lengths[i - 1]]
    costs, cuts = [0.0], [0]  # of the first rows up to each end, and where their last run begins
    for end in ends:
        options = [
            cost + lengths[start] * (START_ROWS + end - start)
            for cost, start in zip(costs, starts, strict=False)
        ]
        costs.append(min(options))
        cuts.append(options.index(costs[-1]))
    runs = []
    at = len(ends)
    while at:
        start, end = starts[cuts[at]], ends[at - 1]
        step = max(1, MAX_TOKENS // lengths[start])
        runs += [slice(first, min(first + step, end)) for first in range(start, end, step)]
        at = cuts[at]
    return runs


def _padded(rows: Sequence[bytes]) -> IntArray:
    """Return rows of ids as one array, right-padded with 0."""
    longest = max(map(len, rows))
    whole = b"".join(row.ljust(longest, b"\0") for row in rows)
    return np.frombuffer(whole, np.int32).reshape(len(rows), -1)


def _lengths(name: str, ids: IntArray) -> Any:
    """Return, as lists, how many of the last axis are not padding, at least 1."""
    real = ids != 0
    if (real[..., 1:] & ~real[..., :-1]).any():
        raise InputError(f"{name} is not right-padded", hint="put the zeros behind the ids")
    return np.maximum(real.sum(axis=-1), 1).tolist()
