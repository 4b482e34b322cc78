"""The parity gate: engines must give equal replies before their times mean anything.

An engine that rounds (int8) cannot; of it is said how many replies are equal, beside its times.

Replies differ unless both, rescored in float64, are so close that rounding decides between them:
then they are a tie, which is counted and listed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from empgan_rt.config import SearchConfig
from empgan_rt.graph_spec import EncoderInput
from empgan_rt.verification.ties import TIE, tie_gap

from ..engines.base import Rescore


class Cell(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is measured together: `mode` is "fixed" (20 tokens, no end) or "natural" length.

    Where requests are served as they arrive, `rate_per_s` of them, `batch` is the most that are
    decoded at once. A `beam` of 0 is the search that a bundle or a server has by itself.
    """

    batch: int
    beam: int
    mode: str
    rate_per_s: float = 0.0

    @property
    def search(self) -> str:
        """How replies are searched, for people."""
        return f"beam {self.beam}" if self.beam else "own search"

    def __str__(self) -> str:
        if self.rate_per_s:
            length = "" if self.mode == "natural" else f", {self.mode} length"
            return f"{self.rate_per_s:g} requests/s, {self.search}{length}"
        return f"batch {self.batch}, beam {self.beam}, {self.mode} length"


class Difference(msgspec.Struct, frozen=True):
    """Two replies to one context that are not the same.

    Attributes:
        item, row: the batch and the dialogue within it.
        gap: log-probability that would reverse their order; None if it was not computed.
        wanted, found: token ids of the reference and of the engine.
    """

    engine: str
    cell: Cell
    item: int
    row: int
    gap: float | None
    wanted: list[int]
    found: list[int]

    @property
    def is_tie(self) -> bool:
        """Whether rounding alone decides between the two."""
        return self.gap is not None and self.gap < TIE


class Verdict(msgspec.Struct, frozen=True):
    """The gate's word on one engine in one cell.

    Attributes:
        approximate: whether the engine may write other replies.
    """

    engine: str
    cell: Cell
    contexts: int
    ties: int
    mismatches: int
    approximate: bool = False

    @property
    def passed(self) -> bool:
        """Whether no reply differs, ties aside, or none has to be equal."""
        return self.approximate or self.mismatches == 0

    def __str__(self) -> str:
        if not self.contexts:
            return "not compared"
        if self.approximate:
            return f"{self.contexts - self.mismatches} of {self.contexts} equal"
        if not self.passed:
            return f"FAILED: {self.mismatches} of {self.contexts} replies differ"
        return f"equal, {self.ties} ties" if self.ties else "equal"


class ParityGate:
    """Compares every reply of a run, first or repeated, with the reference's first one.

    Args:
        rescore: how hypotheses are scored in float64; without it each difference is a mismatch.
        approximate: engines that may write other replies; theirs are not rescored.
    """

    def __init__(self, rescore: Rescore | None = None, approximate: Collection[str] = ()) -> None:
        self.differences: list[Difference] = []
        self._rescore = rescore
        self._approximate = approximate
        self._seen: set[tuple[str, Cell, int, int, tuple[int, ...]]] = set()
        self._contexts: dict[tuple[str, Cell], set[tuple[int, int]]] = {}

    def compare(
        self,
        engine: str,
        cell: Cell,
        item: int,
        inputs: EncoderInput,
        search: SearchConfig,
        wanted: Sequence[Sequence[int]],
        found: Sequence[Sequence[int]],
    ) -> None:
        """Enter the replies of one batch; a difference seen before is not entered again."""
        contexts = self._contexts.setdefault((engine, cell), set())
        for row, (want, have) in enumerate(zip(wanted, found, strict=True)):
            contexts.add((item, row))
            key = (engine, cell, item, row, tuple(have))
            if list(want) == list(have) or key in self._seen:
                continue
            self._seen.add(key)
            gap = None
            if engine not in self._approximate:
                gap = self._gap(_row_of(inputs, row), search, want, have)
            self.differences.append(
                Difference(engine, cell, item, row, gap, list(want), list(have))
            )

    def verdict(self, engine: str, cell: Cell) -> Verdict:
        """Return what is known of an engine in a cell."""
        mine = [d for d in self.differences if d.engine == engine and d.cell == cell]
        wrong = {(d.item, d.row) for d in mine if not d.is_tie}
        tied = {(d.item, d.row) for d in mine} - wrong
        contexts = len(self._contexts.get((engine, cell), ()))
        return Verdict(engine, cell, contexts, len(tied), len(wrong), engine in self._approximate)

    def between(self, engine: str, other: str, cell: Cell) -> tuple[Verdict, list[Difference]]:
        """Return how far two engines agree with each other, and where they do not.

        Both were compared with the reference, so what each wrote is known. A difference has the
        first one's reply as `wanted`; between exact engines it is a tie if both tie.
        """
        ours, theirs = (
            {(d.item, d.row): d for d in self.differences if (d.engine, d.cell) == (name, cell)}
            for name in (engine, other)
        )
        apart = []
        for place in sorted({*ours, *theirs}):
            known = [found[place] for found in (ours, theirs) if place in found]
            wanted, found = (
                side[place].found if place in side else known[0].wanted for side in (ours, theirs)
            )
            if wanted != found:
                gaps = [difference.gap for difference in known]
                gap = max((gap for gap in gaps if gap is not None), default=None)
                if None in gaps:
                    gap = None
                name = f"{other} beside {engine}"
                apart.append(Difference(name, cell, *place, gap, wanted, found))
        ties = sum(difference.is_tie for difference in apart)
        contexts = len(self._contexts.get((other, cell), ()))
        rounded = engine in self._approximate
        return Verdict(other, cell, contexts, ties, len(apart) - ties, rounded), apart

    def _gap(
        self,
        inputs: EncoderInput,
        search: SearchConfig,
        want: Sequence[int],
        have: Sequence[int],
    ) -> float | None:
        """Return how much log-probability lies between two replies, None if nobody rescores."""
        if self._rescore is None:
            return None
        log_probs = self._rescore(inputs, want), self._rescore(inputs, have)
        return tie_gap(log_probs, (len(want), len(have)), search.length_penalty)


def _row_of(inputs: EncoderInput, row: int) -> EncoderInput:
    return EncoderInput(**{name: array[row : row + 1] for name, array in vars(inputs).items()})
