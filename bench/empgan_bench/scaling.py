"""A scaling run from bundle to report: points measured along each axis, and what they come to."""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from empgan_rt.bundle import Bundle
from empgan_rt.errors import DependencyError

from . import fingerprint
from .axes import Place, ScalingPlan
from .benchmark import engine_records
from .client import Worker
from .engines import APPROXIMATE, REFERENCE, eager_rescore
from .gate import Cell, ParityGate
from .growth import Growth, Point, growths_of
from .report import EngineRecord, WorkloadRecord
from .scaling_report import ScalingReport
from .stats import NOISE_LIMIT
from .suite import doubts, search_of
from .summary import Ratio, ratio_of, row_of
from .timing import CellTimer
from .turn_pool import TurnPool
from .workload import load_workload

Progress = Callable[[int, str], None]


def run_scaling(
    plan: ScalingPlan,
    bundle: str,
    engines: Mapping[str, str],
    workload: Path | None,
    on_progress: Progress = lambda done, note: None,
) -> ScalingReport:
    """Return the report of a plan, also where a gate failed.

    Args:
        plan: what to measure; its base point has the vocabulary of the bundle.
        bundle: folder or name of a bundle.
        engines: name -> opener, see `engines`.
        workload: a JSONL file, or None for our own dialogues.
        on_progress: called with the number of finished points and the current one.

    Raises:
        EmpganError: the bundle, the workload, an export or an engine failed.
    """
    opened = Bundle.open(bundle)
    if "vocabulary" in plan.axes:
        _exporter()  # a missing extra should not end a run half way
    contexts = load_workload(workload, opened.featurizer())
    circumstances = fingerprint.take(opened.bundle_id, plan.base.threads)
    points: list[Point] = []
    records: list[EngineRecord] = []
    for (words, threads), group in itertools.groupby(plan.places(), key=_workers_of):
        on_progress(len(points), f"opening engines, {words:,} words, {threads} threads")
        with ExitStack() as stack:
            folder = stack.enter_context(_model(bundle, opened, words))
            bench = _Bench(plan, folder, engines, threads, workload, stack)
            for place in group:
                tick = functools.partial(on_progress, len(points), str(place))
                points.append(bench.measure(place, tick))
            if (words, threads) == (plan.base.vocabulary, plan.base.threads) and not records:
                records = engine_records(bench.workers)
    on_progress(len(points), "")
    growths = growths_of(points, plan.seed)
    return ScalingReport(
        bundle=bundle,
        plan=plan,
        workload=WorkloadRecord(contexts.source, contexts.sha256, len(contexts.contexts)),
        engines=records,
        points=points,
        ratios=[_ratios(point, plan.seed) for point in points],
        growths=growths,
        failures=[
            f"{verdict.engine}, {point.place}: {verdict}"
            for point in points
            for verdict in point.verdicts
            if not verdict.passed
        ],
        warnings=_warnings(plan, points, growths),
        fingerprint=circumstances,
        load_average_after=fingerprint.load_average(),
    )


def _workers_of(place: Place) -> tuple[int, int]:
    """Return what workers must be opened anew for: words and threads."""
    return place.setting.vocabulary, place.setting.threads


class _Bench:
    """Live workers over one model, and the dialogues as that model reads them."""

    def __init__(
        self,
        plan: ScalingPlan,
        bundle: str,
        engines: Mapping[str, str],
        threads: int,
        workload: Path | None,
        stack: ExitStack,
    ) -> None:
        self._plan, self._bundle = plan, Bundle.open(bundle)
        self._pool = TurnPool.of(load_workload(workload, self._bundle.featurizer()).contexts)
        self._rescore = eager_rescore(self._bundle) if REFERENCE in engines else None
        # The gate compares with the first engine, so the reference goes first if it is there.
        names = sorted(engines, key=lambda name: name != REFERENCE)
        self.workers = [
            stack.enter_context(Worker(name, engines[name], bundle, threads)) for name in names
        ]

    def measure(self, place: Place, tick: Callable[[], None]) -> Point:
        """Return all engines at one place."""
        setting = place.setting
        read = min(setting.turns, self._bundle.limits.max_turns)
        batches = self._pool.batches(setting.batch, read, self._plan.seed)
        cell = Cell(setting.batch, setting.beam, "fixed")
        gate = ParityGate(self._rescore, APPROXIMATE)
        for worker in self.workers:
            worker.load(batches)
        timer = CellTimer(
            {worker.name: worker for worker in self.workers},
            cell,
            batches,
            search_of(cell, self._bundle.search),
            gate,
            tick,
        )
        timer.warm_up(self._plan.warmup)
        timer.measure(self._plan.min_time_s, whole=False)
        return Point(
            place,
            read,
            self._pool.repeated(setting.batch, read),
            list(timer.series.values()),
            [gate.verdict(name, cell) for name in timer.series],
            gate.differences,
        )


@contextmanager
def _model(bundle: str, opened: Bundle, words: int) -> Iterator[str]:
    """Yield the bundle, or a temporary one like it with so many words."""
    if words == opened.model.vocabulary_size:
        yield bundle
        return
    with tempfile.TemporaryDirectory(prefix="empgan-bench-") as folder:
        yield str(_exporter()(opened, words, Path(folder) / "resized.empgan"))


def _exporter() -> Callable[[Bundle, int, Path], Path]:
    """Return `resized.write_resized`.

    Raises:
        DependencyError: a package of the export is not installed.
    """
    try:
        from .resized import write_resized
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"{error.name} is not installed, and other vocabularies are exported",
            hint="pip install 'empgan-rt[export]', or leave vocabulary out of --axis",
        ) from None
    return write_resized


def _ratios(point: Point, seed: int) -> list[Ratio]:
    reference, *others = point.series
    return [
        ratio_of(reference, series, verdict, seed)
        for series, verdict in zip(others, point.verdicts[1:], strict=True)
    ]


def _warnings(plan: ScalingPlan, points: Sequence[Point], growths: Sequence[Growth]) -> list[str]:
    """Return what makes the times doubtful."""
    found = doubts([row_of(series, plan.seed) for point in points for series in point.series])
    drifted = [growth for growth in growths if growth.drift > NOISE_LIMIT]
    if drifted:
        worst = max(drifted, key=lambda growth: growth.drift)
        found.append(
            f"drift: on {len(drifted)} of {len(growths)} axes and engines the base point was more "
            f"than {NOISE_LIMIT:.0%} slower in one of its two measurements (worst "
            f"{worst.drift:.1%}, {worst.engine}, {worst.axis}); intervals are widened by it"
        )
    repeated = [point for point in points if point.repeated_turns > 0]
    if repeated:
        most = max(repeated, key=lambda point: point.repeated_turns)
        found.append(
            f"the workload has too few turns: at {most.place} {most.repeated_turns:.0%} of a "
            "batch's turns come again in it, which engines that read a turn once profit from"
        )
    return found
