"""The two benchmarks: which cells are measured, in which order, and what comes of them.

**latency** decodes one batch at a time, once with a fixed number of tokens (ends of sequence
struck until 20 are there, so that every engine takes the same steps) and once with natural
lengths. **throughput** decodes batch after batch with natural lengths. Peers have weights that mean
nothing and end nowhere by themselves: they are left out of natural lengths.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Literal

import msgspec

from empgan_rt.config import SearchConfig

from ..engines.table import APPROXIMATE, FLOORS, PEERS, YARDSTICKS
from ..measuring.bench import Bench, Progress
from ..measuring.gate import Cell, ParityGate
from ..measuring.slo import Objective
from ..measuring.text_times import TextSeries, TextTimer
from ..measuring.timing import CellTimer, Series, in_order
from .outcome import Outcome, outcome_of

Kind = Literal["latency", "throughput"]
FIXED_TOKENS = 20
_MODES: Mapping[Kind, tuple[str, ...]] = {
    "latency": ("fixed", "natural"),
    "throughput": ("natural",),
}


class Plan(msgspec.Struct, frozen=True):
    """What to measure.

    Attributes:
        batches, beams: every pair is a cell.
        warmup: rounds before measuring, after the gate's pass over all batches.
        min_time_s: measured time of a cell, all engines together.
        seed: of the workload's order and of the bootstrap.
        objectives: each must hold in every cell, for every engine but the reference.
        device: where all engines compute.
    """

    kind: Kind
    batches: tuple[int, ...]
    beams: tuple[int, ...]
    warmup: int
    min_time_s: float
    seed: int
    objectives: tuple[Objective, ...] = ()
    device: str = "cpu"

    def cells(self) -> list[Cell]:
        """Return the cells in the order in which they are measured."""
        return [
            Cell(batch, beam, mode)
            for batch in self.batches
            for beam in self.beams
            for mode in _MODES[self.kind]
        ]


def search_of(cell: Cell, base: SearchConfig) -> SearchConfig:
    """Return the search of a cell: the bundle's, without sampling and banned words.

    In "fixed" mode the reply has exactly FIXED_TOKENS tokens.
    """
    return dataclasses.replace(
        base,
        beam_size=cell.beam or base.beam_size,
        num_hypotheses=1,
        sample=False,
        banned_words=(),
        max_length=FIXED_TOKENS if cell.mode == "fixed" else base.max_length,
        min_length=FIXED_TOKENS if cell.mode == "fixed" else base.min_length,
    )


def run_suite(plan: Plan, bench: Bench, on_progress: Progress = lambda done, note: None) -> Outcome:
    """Measure every cell of a plan and return the outcome, also where the gate fails.

    Args:
        plan: what to measure.
        bench: open workers, and what they are asked.
        on_progress: called with the number of finished cells and the current one.

    Raises:
        EmpganError: what an engine raised.
    """
    ordered = in_order(bench.workers)
    gate = ParityGate(bench.rescore, APPROXIMATE)
    measured: list[dict[str, Series]] = []
    text_timer, text = TextTimer(bench.workload), list[TextSeries]()
    for done, cell in enumerate(plan.cells()):
        batches = bench.workload.batches(cell.batch, plan.seed)
        here = {n: e for n, e in ordered.items() if cell.mode == "fixed" or n not in PEERS}
        for engine in here.values():
            engine.load(batches)
        timer = CellTimer(
            here,
            cell,
            batches,
            search_of(cell, bench.bundle.search),
            gate,
            functools.partial(on_progress, done, str(cell)),
            YARDSTICKS,
        )
        timer.warm_up(plan.warmup)
        timer.measure(plan.min_time_s, whole=plan.kind == "throughput")
        measured.append(timer.series)
        timer.settle()
        replies = [timer.wanted[item] for item in range(len(batches))]
        text.append(text_timer.measure(cell, plan.seed, replies))
    on_progress(len(measured), "")
    floors = FLOORS[plan.device]
    return outcome_of(measured, text, gate, plan.objectives, plan.seed, floors)
