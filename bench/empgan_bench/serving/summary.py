"""What the lives of requests come to: a row for each engine at each rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from ..measuring.gate import Cell
from ..measuring.slo import Objective, percentiles
from ..measuring.stats import Interval, Summary, summarise, summary_of_known, trend
from ..workers.requests import RequestEvents

FALLS_BEHIND = 0.05  # share by which completions may trail arrivals
_MIN_FOR_TREND = 10


class ServedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One engine in one cell.

    Attributes:
        answered, refused, late, failed: requests by outcome.
        e2e_ms, queue_ms, ttft_ms, tpot_ms: of answered requests; see `RequestEvents`. None if
            nothing was answered, or nothing has such a time.
        visits_p50_ms: median e2e_ms of each visit by itself; what differs is noise and chance.
        one_piece: share of answered requests whose text came all at once.
        requests_per_s, tokens_per_s: answered, over the time from the schedule's beginning to the
            last end, or to the schedule's own end if that is later.
        goodput: share of requests that were answered and keep the plan's bounds.
        goodput_per_s: those per second.
        growth: of each visit with 10 answered requests: seconds of e2e latency gained per second
            of the schedule, least squares. At g, completions come at 1 / (1 + g) of the rate.
        lateness_ms: how late the generator sent them.
        cpu_ms: CPU time of its process for each request, warm-up too; None if it was not seen.
    """

    engine: str
    cell: Cell
    answered: int
    refused: int
    late: int
    failed: int
    e2e_ms: Summary | None
    queue_ms: Summary | None
    ttft_ms: Summary | None
    tpot_ms: Summary | None
    visits_p50_ms: list[float]
    one_piece: float
    requests_per_s: float
    tokens_per_s: float
    goodput: float
    goodput_per_s: float
    growth: list[Interval]
    lateness_ms: Summary
    cpu_ms: float | None = None

    @property
    def saturated(self) -> bool:
        """Whether more than 5 % were refused or late, or completions trail arrivals by as much.

        They do if in every visit latency grows by more than 0.05 s a second, and the interval
        excludes 0; load from elsewhere seldom comes in each of them.
        """
        lost = self.refused + self.late
        if lost > FALLS_BEHIND * (lost + self.answered + self.failed):
            return True
        growing = [slope.value > FALLS_BEHIND and slope.low > 0.0 for slope in self.growth]
        return bool(growing) and all(growing)


def served_row(
    engine: str,
    cell: Cell,
    visits: Sequence[Sequence[RequestEvents]],
    bounds: Sequence[Objective],
    seed: int,
    cpu_ms: float | None = None,
) -> ServedRow:
    """Return the statistics of one engine in one cell.

    Args:
        engine: its name.
        cell: with a rate.
        visits: the requests of each visit that count, at least one in all.
        bounds: what makes a request a good one.
        seed: of the bootstrap.
        cpu_ms: see `ServedRow`.
    """
    requests = [request for visit in visits for request in visit]
    by_visit = [[r for r in visit if r.outcome == "answered"] for visit in visits]
    answered = [request for visit in by_visit for request in visit]
    outcomes = Counter(request.outcome for request in requests)
    seconds = sum(_duration_s(visit, cell) for visit in visits)
    good = sum(is_good(request, bounds) for request in requests)
    return ServedRow(
        engine=engine,
        cell=cell,
        answered=len(answered),
        refused=outcomes["refused"],
        late=outcomes["late"],
        failed=outcomes["failed"],
        e2e_ms=summary_of_known([r.e2e_ms for r in answered], seed),
        queue_ms=summary_of_known([r.queue_ms for r in answered], seed),
        ttft_ms=summary_of_known([r.ttft_ms for r in answered], seed),
        tpot_ms=summary_of_known([r.tpot_ms for r in answered], seed),
        visits_p50_ms=[float(np.median([r.e2e_ms for r in visit])) for visit in by_visit if visit],
        one_piece=sum(len(r.pieces) == 1 for r in answered) / max(len(answered), 1),
        requests_per_s=len(answered) / seconds,
        tokens_per_s=sum(r.tokens for r in answered) / seconds,
        goodput=good / len(requests),
        goodput_per_s=good / seconds,
        growth=[_growth(visit, seed) for visit in by_visit if len(visit) >= _MIN_FOR_TREND],
        lateness_ms=summarise([r.lateness_ms for r in requests], seed),
        cpu_ms=cpu_ms,
    )


def is_good(request: RequestEvents, bounds: Sequence[Objective]) -> bool:
    """Return whether a request was answered and keeps every bound that can be asked of it.

    A reply whose text came all at once has no time per further token, and keeps a bound on that.
    """
    if request.outcome != "answered":
        return False
    values = [(bound, getattr(request, bound.metric)) for bound in bounds]
    return all(value is None or bound.keeps(value) for bound, value in values)


def served_metrics(row: ServedRow) -> Mapping[str, float | None]:
    """Return what an objective may ask of a row, by the names in `slo.SERVING_METRICS`."""
    return {
        **percentiles("", row.e2e_ms),
        **percentiles("ttft_", row.ttft_ms),
        **percentiles("tpot_", row.tpot_ms),
        **percentiles("queue_", row.queue_ms),
        "requests_per_s": row.requests_per_s,
        "tokens_per_s": row.tokens_per_s,
        "goodput": row.goodput,
        "goodput_per_s": row.goodput_per_s,
    }


def _duration_s(visit: Sequence[RequestEvents], cell: Cell) -> float:
    """Return the time from where the counted part of a schedule begins to its last end."""
    began_ms = visit[0].scheduled_ms
    planned_s = len(visit) / cell.rate_per_s
    return max(planned_s, (max(request.end_ms for request in visit) - began_ms) / 1e3)


def _growth(answered: Sequence[RequestEvents], seed: int) -> Interval:
    due_ms = [request.scheduled_ms for request in answered]
    return trend(due_ms, [request.e2e_ms for request in answered], seed)
