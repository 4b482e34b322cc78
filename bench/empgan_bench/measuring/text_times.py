"""What text costs: reading the contexts of a cell and writing its replies.

Every engine is given ids and gives ids back, so this is the same for all of them. It is measured
once for each cell, in the process that asks the workers, while they are idle.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from empgan_rt.dialogue.turns import Dialogue
from empgan_rt.text.featurizer import Featurizer, encoder_input
from empgan_rt.text.tokenizer import Tokenizer

from .gate import Cell
from .workload import Workload

PASSES = 5


class TextSeries(msgspec.Struct, frozen=True):
    """Raw times of one cell in ms, a value for each batch and pass.

    Attributes:
        tokenise_ms: turns to words, and words to ids.
        featurise_ms: the rest of reading: limits, emotion words, padded arrays.
        detokenise_ms: ids of the reference's replies to text.
    """

    cell: Cell
    tokenise_ms: list[float]
    featurise_ms: list[float]
    detokenise_ms: list[float]


class TokenizerClock(Tokenizer):
    """A tokenizer that adds up the time it takes, in `seconds`."""

    seconds = 0.0

    def words(self, text: str) -> list[str]:
        """See `Tokenizer.words`."""
        start = time.perf_counter()
        found = super().words(text)
        self.seconds += time.perf_counter() - start
        return found

    def ids(self, words: Sequence[str]) -> list[int]:
        """See `Tokenizer.ids`."""
        start = time.perf_counter()
        found = super().ids(words)
        self.seconds += time.perf_counter() - start
        return found


class TextTimer:
    """Reads and writes the text of a workload as its featurizer does, and says how long it took."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        own = workload.featurizer
        self._clock = TokenizerClock.from_json(own.tokenizer.to_json())
        self._featurizer = Featurizer(self._clock, own.lexicon, own.limits)

    def measure(
        self, cell: Cell, seed: int, replies: Sequence[Sequence[Sequence[int]]]
    ) -> TextSeries:
        """Return the times of PASSES passes over all batches, after one that is not counted.

        Args:
            cell: whose contexts are read.
            seed: of the order that the batches were drawn in.
            replies: of every batch, one for each dialogue, as token ids.
        """
        series = TextSeries(cell, [], [], [])
        batches = [
            [self._workload.dialogues[place] for place in places]
            for places in self._workload.places(cell.batch, seed)
        ]
        for number in range(PASSES + 1):
            for dialogues, written in zip(batches, replies, strict=True):
                times = self._batch(dialogues, written)
                if number:
                    series.tokenise_ms.append(times[0])
                    series.featurise_ms.append(times[1])
                    series.detokenise_ms.append(times[2])
        return series

    def _batch(
        self, dialogues: Sequence[Dialogue], replies: Sequence[Sequence[int]]
    ) -> tuple[float, float, float]:
        """Return the ms of tokenising, featurising and detokenising one batch."""
        self._clock.seconds = 0.0
        start = time.perf_counter()
        encoder_input([self._featurizer.features(dialogue) for dialogue in dialogues])
        read = time.perf_counter()
        for reply in replies:
            self._featurizer.text_of(reply)
        written = time.perf_counter()
        tokenising = self._clock.seconds
        return tokenising * 1e3, (read - start - tokenising) * 1e3, (written - read) * 1e3
