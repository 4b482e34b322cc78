"""What is known of turns after the turns before them, so that dialogues are read on from there.

The GRUs over turns read from left to right. So what they know after the first turns of a dialogue
depends on the words of those turns alone, not on what follows, on labels, or on who asks. It is
kept by content, as turn vectors are (`turn_reader`): a history that was cut, edited or begun anew
is another one and is read, and whatever begins alike is read once. Measured:
docs/decisions/0036-contexts-that-go-on.md.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from ..graph_spec import FloatArray, IntArray
from .turn_reader import Key

_START = 0  # the node before any turn
_Edge = tuple[int, Key]  # from the turns before, by a turn


class ContextReader:
    """Remembers the rows of the turns that were read last, each after the turns before it.

    Turns are the edges of a tree, whose nodes are numbered and never again: what follows a
    forgotten turn is found no more, and is forgotten in its time.

    Args:
        width: W, numbers of a row.
        capacity: turns that are remembered; 0 for none.
    """

    def __init__(self, width: int, capacity: int) -> None:
        self._width, self._capacity = width, capacity
        self._nodes = _START
        # the last used one at the end
        self._known: OrderedDict[_Edge, tuple[int, FloatArray]] = OrderedDict()

    def known(self, dialogues: Sequence[Sequence[Key]]) -> tuple[IntArray, FloatArray]:
        """Return how many first turns of B dialogues were read, and what is known after each.

        The last turn of a dialogue counts as new.

        Args:
            dialogues: from `turn_reader.turn_keys`.

        Returns:
            (B,) int32, and (B, E, W): a row of zeros before the rows of each.
        """
        found = [self._rows(keys[:-1]) for keys in dialogues]
        turns_read = np.array([*map(len, found)], np.int32)
        shape = (len(found), 1 + int(turns_read.max()), self._width)
        earlier: FloatArray = np.zeros(shape, np.float32)
        for b, rows in enumerate(found):
            if rows:
                earlier[b, 1 : 1 + len(rows)] = rows
        return turns_read, earlier

    def remember(
        self, dialogues: Sequence[Sequence[Key]], turns_read: IntArray, contexts: FloatArray
    ) -> None:
        """Keep what was found out about the turns that were new.

        Args:
            dialogues: as given to `known`.
            turns_read: as returned by it.
            contexts: (B, T, W), a row of each new turn.
        """
        if not self._capacity:
            return
        for keys, first, rows in zip(dialogues, turns_read.tolist(), contexts, strict=True):
            node = _START
            path = []
            for m, key in enumerate(keys):
                edge = node, key
                if edge not in self._known:
                    if m < first:
                        break  # forgotten meanwhile, for its neighbours' sake
                    self._nodes += 1
                    self._known[edge] = self._nodes, rows[m - first].copy()  # no view of them all
                node = self._known[edge][0]
                path.append(edge)
            self._used(path)
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)

    def clear(self) -> None:
        """Forget all turns."""
        self._known.clear()

    def _rows(self, keys: Sequence[Key]) -> list[FloatArray]:
        """Return the rows of the first of these turns, as far as they are known."""
        node, rows = _START, []
        for key in keys:
            if (node, key) not in self._known:
                break
            node, row = self._known[node, key]
            rows.append(row)
        return rows

    def _used(self, path: Sequence[_Edge]) -> None:
        """Mark turns as used last: the first of them most, without which no other is found."""
        for edge in reversed(path):
            self._known.move_to_end(edge)
