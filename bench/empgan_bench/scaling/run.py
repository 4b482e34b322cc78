"""A scaling run from bundle to report: points measured along each axis, and what they come to."""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import DependencyError
from empgan_rt.graph_spec import EncoderInput
from empgan_rt.text.featurizer import DialogueFeatures, TurnFeatures, encoder_input

from ..batches.outcome import doubts
from ..batches.suite import search_of
from ..batches.summary import Ratio, ratio_of, row_of
from ..engines.table import APPROXIMATE
from ..measuring import fingerprint
from ..measuring.bench import Bench, Progress, opened
from ..measuring.gate import Cell, ParityGate
from ..measuring.stats import NOISE_LIMIT
from ..measuring.timing import CellTimer, in_order
from .growth import Growth, Point, growths_of
from .plan import Place, ScalingPlan
from .report import ScalingOutcome, ScalingReport

_DIALOGUES = 64
_MIN_ITEMS, _MAX_ITEMS = 2, 8  # few, for all dialogues have as many turns


@dataclass(frozen=True)
class TurnPool:
    """The different turns of some contexts; at least one."""

    turns: Sequence[TurnFeatures]

    @classmethod
    def of(cls, contexts: Sequence[DialogueFeatures]) -> TurnPool:
        """Return each turn once, in the order of the contexts."""
        every = (turn for context in contexts for turn in context.turns)
        return cls([*{(*turn.token_ids, -1, *turn.emotion_ids): turn for turn in every}.values()])

    def batches(self, batch_size: int, turns: int, seed: int) -> list[EncoderInput]:
        """Return 2 to 8 batches of `batch_size` dialogues of `turns` turns.

        That is 8 dialogues at batch 1, and 64 or more from batch 8 on. The turns are shuffled by
        `seed`; none comes twice in a batch, if there are enough.
        """
        draw = np.random.default_rng(seed)
        needed = batch_size * turns
        order: list[int] = []
        batches = []
        for _ in range(min(max(-(-_DIALOGUES // batch_size), _MIN_ITEMS), _MAX_ITEMS)):
            if len(order) < needed:
                order = []
            while len(order) < needed:
                order += draw.permutation(len(self.turns)).tolist()
            picked = [self.turns[i] for i in order[:needed]]
            del order[:needed]
            dialogues = [
                DialogueFeatures(tuple(picked[at : at + turns]), 0)
                for at in range(0, needed, turns)
            ]
            batches.append(encoder_input(dialogues))
        return batches

    def repeated(self, batch_size: int, turns: int) -> float:
        """Return the share of a batch's turns that came before in the same batch, 0 to 1."""
        return max(0.0, 1.0 - len(self.turns) / (batch_size * turns))


def run_scaling(
    plan: ScalingPlan,
    bundle: str,
    engines: Mapping[str, str],
    workload: Path | None,
    on_progress: Progress = lambda done, note: None,
    device: str = "cpu",
) -> ScalingReport:
    """Return the report of a plan, also where a gate failed; arguments and errors as `opened`.

    Args:
        plan: what to measure; its base point has the vocabulary of the bundle.
        bundle, engines, workload, device: see `opened`.
        on_progress: called with the number of finished points and the current one.
    """
    model = Bundle.open(bundle)
    if "vocabulary" in plan.axes:
        _exporter()  # a missing extra should not end a run half way
    before = fingerprint.take(model.bundle_id, plan.base.threads, device)
    points: list[Point] = []
    circumstances: dict[str, Any] = {}
    for (words, threads), group in itertools.groupby(plan.places(), key=_workers_of):
        on_progress(len(points), f"opening engines, {words:,} words, {threads} threads")
        with (
            _resized(bundle, model, words) as folder,
            opened(folder, engines, workload, threads, device=device) as bench,
        ):
            pool = TurnPool.of(bench.workload.contexts)
            for place in group:
                tick = functools.partial(on_progress, len(points), str(place))
                points.append(_measure(plan, place, bench, pool, tick))
            if (words, threads) == (plan.base.vocabulary, plan.base.threads):
                circumstances = bench.circumstances()
    on_progress(len(points), "")
    circumstances |= {"fingerprint": before, "load_average_after": fingerprint.load_average()}
    return ScalingReport(**circumstances, plan=plan, outcome=_outcome(plan, points))


def _workers_of(place: Place) -> tuple[int, int]:
    """Return what workers must be opened anew for: words and threads."""
    return place.setting.vocabulary, place.setting.threads


def _measure(
    plan: ScalingPlan, place: Place, bench: Bench, pool: TurnPool, tick: Callable[[], None]
) -> Point:
    """Return all engines at one place."""
    setting = place.setting
    read = min(setting.turns, bench.bundle.limits.max_turns)
    batches = pool.batches(setting.batch, read, plan.seed)
    cell = Cell(setting.batch, setting.beam, "fixed")
    gate = ParityGate(bench.rescore, APPROXIMATE)
    workers = in_order(bench.workers)
    for worker in workers.values():
        worker.load(batches)
    search = search_of(cell, bench.bundle.search)
    timer = CellTimer(workers, cell, batches, search, gate, tick)
    timer.warm_up(plan.warmup)
    timer.measure(plan.min_time_s, whole=False)
    return Point(
        place,
        read,
        pool.repeated(setting.batch, read),
        list(timer.series.values()),
        [gate.verdict(name, cell) for name in timer.series],
        gate.differences,
    )


@contextmanager
def _resized(bundle: str, model: Bundle, words: int) -> Iterator[str]:
    """Yield the bundle, or a temporary one like it with so many words."""
    if words == model.model.vocabulary_size:
        yield bundle
        return
    with tempfile.TemporaryDirectory(prefix="empgan-bench-") as folder:
        yield str(_exporter()(model, words, Path(folder) / "resized.empgan"))


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


def _outcome(plan: ScalingPlan, points: list[Point]) -> ScalingOutcome:
    growths = growths_of(points, plan.seed)
    return ScalingOutcome(
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
    )


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
