"""How long a run of batches will take: reckoned before it starts, and corrected as it goes.

Each engine decodes a batch of the smallest cell and one of the largest. Between them the time of a
batch is taken to grow in a straight line with its rows, dialogues times beams; the plan says how
many batches a cell decodes. Yardsticks are not tried, and count as the slowest engine does.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..engines.table import PEERS, YARDSTICKS
from ..measuring.bench import Bench
from ..measuring.cold_start import FIRST_REPLY_GOAL_MS, OURS, RUNS
from ..measuring.gate import Cell
from ..measuring.timing import MIN_ROUNDS, Turns, in_order, palindrome
from .suite import Plan, search_of


@dataclass(frozen=True)
class Expected:
    """The seconds that each engine will take in one cell."""

    cell: Cell
    engines_s: Mapping[str, float]

    @property
    def total_s(self) -> float:
        """The seconds of all engines together."""
        return sum(self.engines_s.values())


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes:
        cells: in the order in which they are measured; at least one.
        before_s: seconds until the first of them, for cold starts.
    """

    cells: Sequence[Expected]
    before_s: float

    def __str__(self) -> str:
        engines_s: dict[str, float] = defaultdict(float)
        for expected in self.cells:
            for name, seconds in expected.engines_s.items():
                engines_s[name] += seconds
        parts_s = {"cold starts": self.before_s} if self.before_s else {}
        parts_s |= engines_s
        each = ", ".join(f"{name} {about(seconds)}" for name, seconds in parts_s.items())
        whole = about(sum(parts_s.values()))
        if len(self.cells) == 1:
            return f"about {whole} for one cell ({each})"
        longest = max(self.cells, key=lambda expected: expected.total_s)
        return (
            f"about {whole} for {len(self.cells)} cells ({each}); "
            f"the longest takes {about(longest.total_s)}: {longest.cell}"
        )


class _Line:
    """An engine's ms for a batch, as a straight line through its tries.

    Args:
        tries: rows -> ms; one or two.
    """

    def __init__(self, tries: Mapping[int, float]) -> None:
        (few, low), (many, high) = min(tries.items()), max(tries.items())
        self._slope = max(high - low, 0.0) / (many - few) if many > few else 0.0
        self._few, self._low = few, low

    def at(self, rows: int) -> float:
        """Return the ms of a batch with so many rows, at least as many as the smallest try."""
        return self._low + self._slope * (rows - self._few)


def expect(plan: Plan, bench: Bench) -> Forecast:
    """Return what a plan will take on an open bench, after each engine was tried.

    Raises:
        EmpganError: what an engine raised.
    """
    cells = plan.cells()
    names = [*in_order(bench.workers)]
    ends = dict.fromkeys((min(cells, key=_rows), max(cells, key=_rows)))
    tries: dict[str, dict[int, float]] = defaultdict(dict)
    wait_s = 0.0
    for cell in ends:
        times_ms, wait_s = _try(plan, bench, cell)
        for name, ms in times_ms.items():
            tries[name][_rows(cell)] = ms
    lines = {name: _Line(found) for name, found in tries.items()}

    def expected(cell: Cell) -> Expected:
        known = {name: line.at(_rows(cell)) for name, line in lines.items()}
        here = [name for name in names if cell.mode == "fixed" or name not in PEERS]
        times_ms = {name: known.get(name, max(known.values())) for name in here}
        batches = len(bench.workload.places(cell.batch, plan.seed))
        return Expected(cell, _seconds(plan, batches, times_ms, wait_s))

    ours = len(OURS.keys() & set(names)) if plan.device == "cpu" else 0
    before_s = ours * (RUNS + 1) * FIRST_REPLY_GOAL_MS / 1e3
    return Forecast([expected(cell) for cell in cells], before_s)


def _try(plan: Plan, bench: Bench, cell: Cell) -> tuple[dict[str, float], float]:
    """Return each engine's ms for one batch of a cell, and how many seconds a visit adds to it.

    Each has two visits, and the quicker one counts: what is done once is in the other.
    """
    workers = {
        name: worker for name, worker in in_order(bench.workers).items() if name not in YARDSTICKS
    }
    batch = bench.workload.batches(cell.batch, plan.seed)[:1]
    for worker in workers.values():
        worker.load(batch)
    turns = Turns(workers)
    found: dict[str, list[float]] = defaultdict(list)
    waits_s = []
    for name in palindrome([*workers]):
        start = time.perf_counter()
        with turns.of(name) as worker:
            (sample,) = worker.run([0], search_of(cell, bench.bundle.search))
        found[name].append(sample.timing.total_ms)
        waits_s.append(max(time.perf_counter() - start - sample.timing.total_ms / 1e3, 0.0))
    return {name: min(times) for name, times in found.items()}, min(waits_s)


def _seconds(
    plan: Plan, batches: int, times_ms: Mapping[str, float], wait_s: float
) -> dict[str, float]:
    """Return the seconds of each engine in a cell; `CellTimer` has the rules that are reckoned.

    Args:
        batches: of the cell.
        times_ms: of one batch, for each engine.
        wait_s: what a visit adds to its batches.
    """
    whole = plan.kind == "throughput"
    in_visit, cycle = (batches, 1) if whole else (1, batches)
    round_ms = 2 * in_visit * sum(times_ms.values())
    filling = math.ceil(plan.min_time_s * 1e3 / round_ms) if round_ms else 0
    rounds = cycle * math.ceil(max(MIN_ROUNDS, filling) / cycle)
    before = batches + 2 * plan.warmup
    visits, decoded = before + 2 * rounds, before + 2 * rounds * in_visit
    return {name: decoded * ms / 1e3 + visits * wait_s for name, ms in times_ms.items()}


def _rows(cell: Cell) -> int:
    return cell.batch * cell.beam


class Remaining:
    """Tells what is left beside each word of progress.

    What was expected is stretched by what the cells so far have taken beyond it.

    Args:
        forecast: of the run.
        told: is handed the finished cells, a note and the seconds left.
        clock: seconds.
    """

    def __init__(
        self,
        forecast: Forecast,
        told: Callable[[int, str, float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts_s = [expected.total_s for expected in forecast.cells]
        self._parts_s[0] += forecast.before_s
        self._told, self._clock = told, clock
        self._start = self._begun = clock()
        self._done = 0

    def update(self, done: int, note: str) -> None:
        """Take a word of progress, see `run_suite`, and hand it on."""
        now = self._clock()
        if done != self._done:
            self._done, self._begun = done, now
        self._told(done, note, self._left_s(now))

    def _left_s(self, now: float) -> float:
        before_s, later_s = sum(self._parts_s[: self._done]), sum(self._parts_s[self._done :])
        if not later_s:
            return 0.0
        here_s, spent_s = self._parts_s[self._done], now - self._begun
        stretch = (self._begun - self._start) / before_s if before_s else 1.0
        stretch = max(stretch, (now - self._start) / (before_s + here_s))  # it takes longer
        return max(stretch * later_s - spent_s, 0.0)


def about(seconds: float) -> str:
    """Return a time that is roughly known.

    >>> about(42), about(800), about(10_000)
    ('42 s', '13 min', '2.8 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
