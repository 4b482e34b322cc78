"""One report held against an older one: what became slower, and by how much.

Two runs meet different load, so times are compared relative to the reference engine of the same
run, if both runs had it: a machine that is slower today slows both. A change counts as a regression
if it is larger than what was allowed and its 95 % interval excludes that nothing changed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import msgspec

from empgan_rt.errors import InputError

from ..engines.table import OTHER, REFERENCE, YARDSTICKS
from ..measuring.fingerprint import SCHEMA_VERSION, Fingerprint
from ..measuring.gate import Cell
from ..measuring.stats import Interval, unpaired_ratio
from ..measuring.timing import Series
from .report import Report
from .suite import Kind


class Change(msgspec.Struct, frozen=True):
    """An engine in a cell that both reports have.

    Attributes:
        relative: whether times were divided by the reference engine's.
        slowdown: new time over old time; 1 is no change.
    """

    engine: str
    cell: Cell
    relative: bool
    slowdown: Interval

    def regressed(self, allowed: float) -> bool:
        """Return whether the slowdown is more than 1 + `allowed`, and no accident."""
        return self.slowdown.value > 1.0 + allowed and self.slowdown.low > 1.0

    def __str__(self) -> str:
        change = self.slowdown
        than = f"relative to {REFERENCE}" if self.relative else "in absolute time"
        return (
            f"{self.engine}, {self.cell}: time x {change.value:.3f} "
            f"[{change.low:.3f}, {change.high:.3f}] {than}"
        )


class Comparison(msgspec.Struct, frozen=True):
    """What became of the engines that two reports have in common.

    Attributes:
        changes: of every engine but the reference and yardsticks, in every cell of both reports.
        differs: what else is not the same, for the reader to judge.
        allowed: 0.05 for 5 %.
    """

    changes: list[Change]
    differs: list[str]
    allowed: float

    @property
    def regressions(self) -> list[str]:
        """Return a line for each engine and cell that became slower than allowed."""
        slower = [change for change in self.changes if change.regressed(self.allowed)]
        return [f"slower than before: {change}" for change in slower]

    def record(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "changes": [
                {
                    "engine": c.engine,
                    "batch": c.cell.batch,
                    "beam": c.cell.beam,
                    "length": c.cell.mode,
                    "slowdown": c.slowdown.value,
                    "low": c.slowdown.low,
                    "high": c.slowdown.high,
                    "relative_to_reference": c.relative,
                    "regressed": c.regressed(self.allowed),
                }
                for c in self.changes
            ],
            "differs": self.differs,
        }

    def __str__(self) -> str:
        return "\n".join([*map(str, self.changes), *(f"differs: {line}" for line in self.differs)])


class _HeadPlan(msgspec.Struct):
    kind: str


class _Head(msgspec.Struct):
    """What all reports have, of whatever kind."""

    plan: _HeadPlan


def read_report(path: Path) -> Report:
    """Return the report in a `report.json`.

    Raises:
        InputError: it cannot be read, or is no report of this version, or one of another kind.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    try:
        kind = msgspec.json.decode(data, type=_Head).plan.kind
        if kind not in get_args(Kind):
            raise InputError(
                f"{path} is a report of `bench {kind}`",
                hint="compare reports of `bench latency` or `bench throughput`",
            )
        report = msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{path} is no report of version {SCHEMA_VERSION}: {str(error)[:120]}",
            hint="give the report.json that `empgan-rt bench` wrote",
        ) from None
    _check_times(path, report)
    return report


def _check_times(path: Path, report: Report) -> None:
    """Raise InputError unless every series can be compared: rounds of two visits, which took time.

    All series of a cell have as many rounds.
    """
    rounds: dict[Cell, int] = {}
    for series in report.outcome.series:
        times = [visit.total_ms for visit in series.visits]
        count = rounds.setdefault(series.cell, len(times))
        if not times or len(times) % 2 or len(times) != count:
            what = f"{len(times)} visits, and {count} of another engine"
        elif not all(0 < time < math.inf for time in times):
            what = "times that no clock measures"
        else:
            continue
        raise InputError(
            f"{path} has {what}, of {series.engine[:40]!r}", hint="give a report as it was written"
        )
    if not 0 <= report.plan.seed < 2**63:
        raise InputError(f"{path} has a seed outside 0 to 2**63 - 1", hint="measure anew")


def check_alike(what: str, old: object, new: object) -> None:
    """Check that two reports, or one and a run that is to come, agree in something.

    Raises:
        InputError: they do not.
    """
    if old != new:
        raise InputError(f"the reports differ in {what}: {old} and {new}", hint="measure alike")


def compare(old: Report, new: Report, allowed: float) -> Comparison:
    """Return what changed from one report to the next.

    Args:
        old, new: of the same kind of run.
        allowed: slowdown that is no regression, 0.05 for 5 %.

    Raises:
        InputError: the runs measured other things: kind, device, workload or threads differ, or
            they have no engine and cell in common.
    """
    check_alike("kind", old.plan.kind, new.plan.kind)
    check_alike("device", old.plan.device, new.plan.device)
    check_alike("threads", old.fingerprint.threads, new.fingerprint.threads)
    check_alike("workload", old.workload.sha256[:12], new.workload.sha256[:12])
    before, after = _by_place(old), _by_place(new)
    changes = []
    for (engine, cell), series in after.items():
        if engine == REFERENCE or engine in YARDSTICKS or (engine, cell) not in before:
            continue
        if engine.endswith(OTHER):  # whatever build that was
            continue
        earlier = before[engine, cell]
        references = [times.get((REFERENCE, cell)) for times in (before, after)]
        relative = None not in references
        slowdown = unpaired_ratio(
            _times(series, references[1] if relative else None),
            _times(earlier, references[0] if relative else None),
            new.plan.seed,
        )
        changes.append(Change(engine, cell, relative, slowdown))
    if not changes:
        raise InputError("the reports have no engine and cell in common", hint="measure alike")
    return Comparison(changes, _what_differs(old.fingerprint, new.fingerprint), allowed)


def _what_differs(old: Fingerprint, new: Fingerprint) -> list[str]:
    facts = [
        {"CPU": f.cpu, "bundle": f.bundle_id, "empgan-rt": f.empgan_rt}
        | ({} if f.gpu is None else {"GPU": str(f.gpu)})
        | f.packages
        for f in (old, new)
    ]
    then, now = facts
    return [
        f"{name}: {then.get(name, 'absent')} then, {now.get(name, 'absent')} now"
        for name in then | now
        if then.get(name) != now.get(name)
    ]


def _by_place(report: Report) -> dict[tuple[str, Cell], Series]:
    return {(series.engine, series.cell): series for series in report.outcome.series}


def _times(series: Series, reference: Series | None) -> list[float]:
    """Return the time of each round, divided by the reference's of the same round if given."""
    times = series.by_round()
    if reference is None:
        return times
    return [one / other for one, other in zip(times, reference.by_round(), strict=True)]
