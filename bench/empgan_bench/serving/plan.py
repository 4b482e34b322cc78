"""What is served, in which order, and what comes of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from ..measuring.gate import Cell, Difference, Verdict
from ..measuring.slo import Objective
from ..workers.requests import RequestEvents
from .summary import ServedRow

_RUN_S, _MIN_REQUESTS = 15.0, 60


class ServingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure.

    Attributes:
        rates_per_s, beams: every pair is a cell; a beam of 0 is the search of bundle and servers.
        requests: of each engine in each cell, in two visits, warm-up not counted; None for as many
            as are due in 15 s, at least 60.
        warmup: requests at the head of each visit, shown and not counted.
        length: "natural", or "fixed" for 20 tokens each: ends by chance tell nothing.
        max_batch: most dialogues in decoding at once.
        max_queue: most requests that wait; what comes then is refused.
        deadline_s: time for each reply from when it was due; None for no limit.
        seed: of the dialogues' order, the arrivals and the bootstrap.
        goodput: what makes an answered request a good one.
        objectives: each must hold in every cell, for every engine but the reference.
    """

    rates_per_s: tuple[float, ...]
    beams: tuple[int, ...]
    requests: int | None
    warmup: int
    max_batch: int
    max_queue: int
    deadline_s: float | None
    seed: int
    goodput: tuple[Objective, ...] = ()
    objectives: tuple[Objective, ...] = ()
    length: Literal["natural", "fixed"] = "natural"
    kind: Literal["serve"] = "serve"

    def cells(self) -> list[Cell]:
        """Return the cells in the order in which they are measured."""
        return [
            Cell(self.max_batch, beam, self.length, rate)
            for beam in self.beams
            for rate in self.rates_per_s
        ]

    def visit_sizes(self, cell: Cell) -> tuple[int, int]:
        """Return how many requests count in the first and in the second visit of an engine."""
        count = self.requests or max(_MIN_REQUESTS, round(_RUN_S * cell.rate_per_s))
        return count - count // 2, count // 2

    def least_s(self) -> float:
        """Return how many seconds one engine takes at least: requests are not sent before due."""
        return sum(
            (2 * self.warmup + sum(self.visit_sizes(cell))) / cell.rate_per_s
            for cell in self.cells()
        )


class ServedVisit(msgspec.Struct, frozen=True):
    """One engine's turn: the schedule's requests, those of the warm-up first.

    `cpu_s` is what its process used meanwhile, all threads together; 0 if that was not to be seen.
    """

    engine: str
    cell: Cell
    number: int
    warmup: list[RequestEvents]
    requests: list[RequestEvents]
    cpu_s: float = 0.0


class ServingOutcome(msgspec.Struct, frozen=True):
    """Everything that was measured, and what is wrong with it.

    Attributes:
        rows: statistics, cells in order, engines in order within a cell.
        verdicts: the gate's, in the same order.
        differences: ties and mismatches, each listed once.
        visits: the raw events.
        failures: why the run fails; empty if it passes.
        warnings: what a reader must know.
    """

    rows: list[ServedRow]
    verdicts: list[Verdict]
    differences: list[Difference]
    visits: list[ServedVisit]
    failures: list[str]
    warnings: list[str]
