"""What the raw times come to: a row for each engine and cell, and its ratio to the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from ..measuring import stats
from ..measuring.gate import Cell, Verdict
from ..measuring.slo import percentiles
from ..measuring.stats import Interval, Summary, summarise
from ..measuring.text_times import TextSeries
from ..measuring.timing import Series
from .standing import Standing

_TIMES = ("total_ms", "encode_ms", "step_ms", "search_ms", "first_token_ms", "per_token_ms")
STAGES = ("tokenise", "featurise", "encode", "step", "search", "detokenise")


class Row(msgspec.Struct, frozen=True):
    """One engine in one cell.

    Attributes:
        total_ms, encode_ms, step_ms, search_ms: of a batch.
        first_token_ms: from the start to the end of the first decoder step.
        per_token_ms: of a decoder step with its search, without the first one.
        dialogue_ms: median total_ms divided by the batch size.
        dialogues_per_s, tokens_per_s: of a visit.
        noise: how far its own two interleaved series are apart.
        idle_cpu_share: CPU seconds per second that it used while others ran.
        device_encode_ms, device_step_ms: of a batch by the device's own clock; None without one.
    """

    engine: str
    cell: Cell
    total_ms: Summary
    encode_ms: Summary
    step_ms: Summary
    search_ms: Summary
    first_token_ms: Summary
    per_token_ms: Summary
    dialogue_ms: float
    dialogues_per_s: Summary
    tokens_per_s: Summary
    noise: float
    idle_cpu_share: float
    device_encode_ms: Summary | None = None
    device_step_ms: Summary | None = None


class Breakdown(msgspec.Struct, frozen=True):
    """Where the time of a reply goes: ms per dialogue of one engine in one cell, in that order.

    Every stage is the median of its own values, so the whole is near the median of a reply and
    seldom exactly it. The text's stages are the same for all engines of a cell.
    """

    engine: str
    cell: Cell
    tokenise_ms: float
    featurise_ms: float
    encode_ms: float
    step_ms: float
    search_ms: float
    detokenise_ms: float

    @property
    def stages(self) -> list[tuple[str, float]]:
        """Return the name and the ms of every stage."""
        return [(name, getattr(self, f"{name}_ms")) for name in STAGES]

    @property
    def whole_ms(self) -> float:
        """Time from text to text: the sum of all stages."""
        return sum(value for _, value in self.stages)


class Ratio(msgspec.Struct, frozen=True):
    """How many times faster an engine is than the reference, by rounds.

    `verdict` is the parity gate's; where it failed the ratio means nothing.
    """

    engine: str
    reference: str
    cell: Cell
    speedup: Interval
    rounds: int
    noisy: bool
    verdict: Verdict

    def __str__(self) -> str:
        if not self.verdict.passed:
            return str(self.verdict)
        speedup = self.speedup
        stamp = " noisy" if self.noisy else ""
        return f"{speedup.value:.2f}× [{speedup.low:.2f}, {speedup.high:.2f}]{stamp}"


def row_of(series: Series, seed: int) -> Row:
    """Return the statistics of one engine in one cell."""
    timings = [timing for visit in series.visits for timing in visit.timings]
    rates = {
        unit: [
            sum(getattr(timing, unit) for timing in visit.timings) / visit.total_ms * 1e3
            for visit in series.visits
        ]
        for unit in ("dialogues", "tokens")
    }
    times = {name: summarise([getattr(t, name) for t in timings], seed) for name in _TIMES}
    return Row(
        engine=series.engine,
        cell=series.cell,
        **times,
        dialogue_ms=times["total_ms"].p50 / series.cell.batch,
        dialogues_per_s=summarise(rates["dialogues"], seed),
        tokens_per_s=summarise(rates["tokens"], seed),
        noise=stats.repeat_noise(*series.by_position()),
        idle_cpu_share=series.idle_cpu_s / series.idle_wall_s if series.idle_wall_s else 0.0,
        device_encode_ms=stats.summary_of_known([t.device_encode_ms for t in timings], seed),
        device_step_ms=stats.summary_of_known([t.device_step_ms for t in timings], seed),
    )


def breakdown_of(row: Row, text: TextSeries | None) -> Breakdown:
    """Return where the time of a reply goes in a cell; a yardstick has no text."""

    def of_dialogue(values: Sequence[float]) -> float:
        return float(np.median(values)) / row.cell.batch if values else 0.0

    return Breakdown(
        engine=row.engine,
        cell=row.cell,
        tokenise_ms=of_dialogue(text.tokenise_ms if text else ()),
        featurise_ms=of_dialogue(text.featurise_ms if text else ()),
        encode_ms=row.encode_ms.p50 / row.cell.batch,
        step_ms=row.step_ms.p50 / row.cell.batch,
        search_ms=row.search_ms.p50 / row.cell.batch,
        detokenise_ms=of_dialogue(text.detokenise_ms if text else ()),
    )


def ratio_of(reference: Series, series: Series, verdict: Verdict, seed: int) -> Ratio:
    """Return the speed-up of an engine over the reference, which ran in the same rounds."""
    above, below = reference.by_round(), series.by_round()
    noise = max(stats.repeat_noise(*one.by_position()) for one in (reference, series))
    return Ratio(
        engine=series.engine,
        reference=reference.engine,
        cell=series.cell,
        speedup=stats.paired_ratio(above, below, seed),
        rounds=len(below),
        noisy=noise > stats.NOISE_LIMIT,
        verdict=verdict,
    )


def metrics_of(
    row: Row, ratio: Ratio | None, standing: Standing | None = None
) -> Mapping[str, float | None]:
    """Return what an objective may ask of one engine in one cell, by the names in `slo.METRICS`."""
    over = None if standing is None else standing.over_other
    return {
        **percentiles("", row.total_ms),
        "first_token_p50_ms": row.first_token_ms.p50,
        "per_token_p50_ms": row.per_token_ms.p50,
        "dialogues_per_s": row.dialogues_per_s.p50,
        "tokens_per_s": row.tokens_per_s.p50,
        "ratio": None if ratio is None else ratio.speedup.value,
        "over_other": None if over is None else over.value,
    }
