"""Interleaved measuring: every engine in its own live process, called in ABBA order.

A round asks for the same work in the order A B B A: load that drifts falls on both alike, and
each engine's two visits measure the noise. Not in the times: sending inputs and replies, and
featurising. The warm-up, whose first pass feeds the parity gate, is kept apart and shown.

A yardstick takes as many decoder steps as the first engine took for the same batch. It writes no
replies, and the gate does not see it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from empgan_rt.config import SearchConfig
from empgan_rt.graph_spec import EncoderInput

from ..engines.base import Timing
from ..engines.table import REFERENCE, YARDSTICKS, is_remote
from ..workers.client import Worker
from ..workers.messages import Sample
from .gate import Cell, ParityGate

MIN_ROUNDS = 5
IDLE_LIMIT = 0.01  # share of a core that an idle worker may use before the report says so
_SETTLE_S = 0.05  # an engine's turn comes when the one before has used no CPU for so long
_MOST_SETTLES = 20


class Visit(msgspec.Struct, frozen=True):
    """One engine's turn: batches decoded back to back. `position` is its place in the round."""

    round: int
    position: int
    timings: list[Timing]

    @property
    def total_ms(self) -> float:
        """Time of all its batches."""
        return sum(timing.total_ms for timing in self.timings)


class Series(msgspec.Struct):
    """All that was measured of one engine in one cell.

    Attributes:
        warmup: the gate's first pass and the warm-up rounds, in order; not in any statistic.
        visits: two for each round.
        idle_cpu_s: CPU seconds it used while others ran.
        idle_wall_s: how long others ran.
        settings: what a yardstick chose for this cell by trying.
    """

    engine: str
    cell: Cell
    warmup: list[Timing]
    visits: list[Visit]
    idle_cpu_s: float = 0.0
    idle_wall_s: float = 0.0
    settings: str = ""

    def by_position(self) -> tuple[list[float], list[float]]:
        """Return total_ms of the earlier and of the later visit of each round."""
        ordered = sorted(self.visits, key=lambda visit: (visit.round, visit.position))
        return [v.total_ms for v in ordered[::2]], [v.total_ms for v in ordered[1::2]]

    def by_round(self) -> list[float]:
        """Return the time of both visits of each round."""
        return [first + second for first, second in zip(*self.by_position(), strict=True)]


def in_order(workers: Iterable[Worker]) -> dict[str, Worker]:
    """Return workers by the names of their engines, the reference first and yardsticks last.

    Servers of a URL come after all engines.

    The gate compares with the first, and yardsticks take as many steps as it.
    """

    def rank(worker: Worker) -> tuple[bool, bool, bool]:
        name = worker.name
        return name in YARDSTICKS, is_remote(name), name != REFERENCE

    return {worker.name: worker for worker in sorted(workers, key=rank)}


def palindrome(engines: Sequence[str]) -> list[str]:
    """Return the order of one round.

    >>> palindrome(["a", "b"])
    ['a', 'b', 'b', 'a']
    """
    return [*engines, *reversed(engines)]


class Turns:
    """Lets one worker work at a time, and watches that the others rest.

    Args:
        workers: by name.

    Attributes:
        idle_cpu_s: CPU seconds that each has used while others worked.
        idle_wall_s: how long each has waited for others.
    """

    def __init__(self, workers: Mapping[str, Worker]) -> None:
        self._workers = workers
        self._last = ""
        self.idle_cpu_s = dict.fromkeys(workers, 0.0)
        self.idle_wall_s = dict.fromkeys(workers, 0.0)

    @contextmanager
    def of(self, name: str) -> Iterator[Worker]:
        """Yield a worker for its turn, which begins when the one before has become quiet."""
        if name != self._last:
            self.settle()
            self._last = name
        idle = {other: w.cpu_s() for other, w in self._workers.items() if other != name}
        start = time.perf_counter()
        yield self._workers[name]
        wall_s = time.perf_counter() - start
        for other, before in idle.items():
            self.idle_cpu_s[other] += self._workers[other].cpu_s() - before
            self.idle_wall_s[other] += wall_s

    def settle(self) -> None:
        """Wait until the threads of the worker that worked last have stopped to spin.

        ONNX Runtime's do so for 40 to 50 ms after a call, on a core that the next one needs.
        """
        if not self._last:
            return
        last = self._workers[self._last]
        for _ in range(_MOST_SETTLES):
            used = last.cpu_s()
            time.sleep(_SETTLE_S)
            if last.cpu_s() == used:
                return


class CellTimer:
    """Measures one cell: the same batches, search and engines throughout.

    Args:
        engines: by name, the reference first; its replies are what the gate wants.
        cell: for the records.
        batches: what is decoded.
        search: how.
        gate: sees every reply.
        tick: called between visits, so that progress can be shown.
        yardsticks: which of the engines are such; none of them comes first.

    Attributes:
        wanted: the reference's replies to each batch, by its place, as token ids.
    """

    def __init__(
        self,
        engines: Mapping[str, Worker],
        cell: Cell,
        batches: Sequence[EncoderInput],
        search: SearchConfig,
        gate: ParityGate,
        tick: Callable[[], None] = lambda: None,
        yardsticks: Collection[str] = (),
    ) -> None:
        self._engines, self._cell = engines, cell
        self._batches, self._search = batches, search
        self._gate, self._tick = gate, tick
        self._yardsticks = yardsticks
        self.wanted: dict[int, list[list[int]]] = {}
        self._steps: dict[int, int] = {}  # of the first engine
        self._turns = Turns(engines)
        self.series = {name: Series(name, cell, [], []) for name in engines}

    def warm_up(self, rounds: int) -> None:
        """Decode every batch once with each engine, for the gate, then `rounds` rounds."""
        for item in range(len(self._batches)):
            for name in self._engines:
                self.series[name].warmup += self._visit(name, [item])
        for number in range(rounds):
            item = number % len(self._batches)
            for name in palindrome(list(self._engines)):
                self.series[name].warmup += self._visit(name, [item])

    def measure(self, min_time_s: float, *, whole: bool) -> None:
        """Run rounds until `min_time_s` seconds were measured, at least MIN_ROUNDS.

        Every batch is decoded as often as every other, so that reports of other days compare.

        Args:
            min_time_s: of all engines together.
            whole: each visit decodes all batches (throughput), not one (latency).
        """
        everything = list(range(len(self._batches)))
        cycle = 1 if whole else len(everything)  # rounds until every batch was decoded
        measured_ms, number = 0.0, 0
        while number < MIN_ROUNDS or measured_ms < min_time_s * 1e3 or number % cycle:
            items = everything if whole else [number % len(everything)]
            for position, name in enumerate(palindrome(list(self._engines))):
                visit = Visit(number, position, self._visit(name, items))
                self.series[name].visits.append(visit)
                measured_ms += visit.total_ms
            number += 1

    def settle(self) -> None:
        """Wait until the engine that worked last has become quiet."""
        self._turns.settle()

    def _visit(self, name: str, items: list[int]) -> list[Timing]:
        """Return one engine's times for some batches, and show its replies to the gate."""
        with self._turns.of(name) as engine:
            samples = self._samples(engine, items)
        for other, series in self.series.items():
            series.idle_cpu_s = self._turns.idle_cpu_s[other]
            series.idle_wall_s = self._turns.idle_wall_s[other]
        for item, sample in zip(items, samples, strict=True):
            if name in self._yardsticks:
                self.series[name].settings = sample.settings
                continue
            self._steps.setdefault(item, sample.timing.steps)
            wanted = self.wanted.setdefault(item, sample.replies)
            self._gate.compare(
                name, self._cell, item, self._batches[item], self._search, wanted, sample.replies
            )
        self._tick()
        return [sample.timing for sample in samples]

    def _samples(self, engine: Worker, items: list[int]) -> list[Sample]:
        if engine.name not in self._yardsticks:
            return engine.run(items, self._search)
        samples = []
        for item in items:
            steps = self._steps[item]
            search = dataclasses.replace(self._search, min_length=steps, max_length=steps)
            samples += engine.run([item], search)
        return samples
