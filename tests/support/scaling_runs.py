"""Scaling runs of workers in process, whose costs are known functions of what they are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from empgan_bench.engines.base import Timing
from empgan_bench.measuring import bench
from empgan_bench.scaling import run
from empgan_bench.scaling.plan import ScalingPlan, Setting
from empgan_bench.scaling.report import ScalingReport
from empgan_bench.workers.messages import Opened, Sample
from empgan_rt.bundle.bundle import Bundle
from support.bench_engines import ScriptedWorker

Costs = Callable[[Setting], tuple[float, float, float]]
"""What a worker sees -> encode_ms, step_ms, search_ms of a batch."""


def steady(setting: Setting) -> tuple[float, float, float]:
    """Return costs that are linear along every axis."""
    whole = setting.batch * setting.beam * setting.turns * setting.vocabulary / setting.threads
    return whole / 4, whole / 2, whole / 4


class ScalingWorker(ScriptedWorker):
    """A worker in process with what `measuring.bench` asks of `workers.client.Worker`."""

    costs: Costs = staticmethod(steady)
    replies: Mapping[str, list[int]] = {}

    def __init__(self, name: str, opener: str, bundle: str, threads: int) -> None:
        super().__init__(name, [])
        self.opened = Opened(5.0, {"fake": "1"}, "enabled", "system")
        self._threads, self._words = threads, Bundle.open(bundle).model.vocabulary_size

    def __enter__(self) -> ScalingWorker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def rss_mib(self) -> float:
        return 50.0

    def _sample(self, item: int) -> Sample:
        batch, turns = self.batches[item].emotion_labels.shape
        beam = self.searches[-1].beam_size
        setting = Setting(batch, beam, turns, self._words, self._threads)
        encode_ms, step_ms, search_ms = self.costs(setting)
        reply = self.replies.get(self.name, [5, 6])
        total_ms = encode_ms + step_ms + search_ms
        timing = Timing(
            encode_ms=encode_ms,
            step_ms=step_ms,
            search_ms=search_ms,
            total_ms=total_ms,
            first_token_ms=encode_ms,
            steps=20,
            dialogues=batch,
            tokens=20 * batch,
        )
        return Sample(timing, [reply] * batch)


def run_scaling(
    monkeypatch: Any,
    bundle: Path,
    axes: tuple[str, ...],
    costs: Costs = steady,
    replies: Mapping[str, list[int]] | None = None,
    **base: int,
) -> ScalingReport:
    """Return the report of eager and onnxruntime with these costs and replies."""
    monkeypatch.setattr(bench, "Worker", ScalingWorker)
    monkeypatch.setattr(bench, "eager_rescore", lambda bundle: None)
    monkeypatch.setattr(ScalingWorker, "costs", staticmethod(costs))
    monkeypatch.setattr(ScalingWorker, "replies", replies or {})
    words = Bundle.open(bundle).model.vocabulary_size
    at = msgspec.structs.replace(Setting(8, 5, 4, words, 2), **base)
    engines = {"onnxruntime": "", "eager": ""}
    return run.run_scaling(ScalingPlan(axes, at, 4, 0, 0.0, 0), str(bundle), engines, None)
