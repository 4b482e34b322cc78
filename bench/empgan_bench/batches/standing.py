"""How an engine stands in a cell: beside peers, above the bare products, beside another build.

All are measured in the engine's own rounds, so load that comes and goes cancels. A peer writes
other replies by another model, so it is compared at a fixed length alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from ..engines.table import PEERS, label
from ..measuring.gate import Cell, Verdict
from ..measuring.stats import NOISE_LIMIT, Interval, paired_ratio, repeat_noise
from ..measuring.timing import Series
from ..reports.tables import Table


class Standing(msgspec.Struct, frozen=True):
    """One engine in one cell.

    Attributes:
        peer: the fastest peer of the cell; None if none was measured.
        over_peer: how many times faster than it the engine is.
        floor: the floor of its runtime and precision; None if it was not measured.
        over_floor: the engine's time divided by the floor's: 1 cannot be gone below.
        noisy: whether one of them differs from itself by more than `NOISE_LIMIT`.
        verdict: the gate's; where it failed the rest means nothing.
        other: the same engine of another build of ours; None if there was none.
        over_other: how many times faster than that the engine is.
        other_verdict: how far the replies of the two are equal.
    """

    engine: str
    cell: Cell
    peer: str | None
    over_peer: Interval | None
    floor: str | None
    over_floor: Interval | None
    noisy: bool
    verdict: Verdict
    other: str | None = None  # reports up to version 1.1 have none
    over_other: Interval | None = None
    other_verdict: Verdict | None = None

    def peer_text(self) -> str:
        """Return the ratio to the best peer, "–" if there was none."""
        return self._text(self.over_peer, f"as fast as {self.peer}")

    def floor_text(self) -> str:
        """Return the distance to the floor, "–" if it was not measured."""
        return self._text(self.over_floor, f"the time of {self.floor}")

    def other_text(self) -> str:
        """Return the ratio to the other build with its replies, "–" if there was none."""
        verdict = self.other_verdict
        if verdict is None or not verdict.passed:
            return "–" if verdict is None else str(verdict)
        text = self._text(self.over_other, f"as fast as {self.other}")
        return f"{text}, replies {verdict}"

    def _text(self, found: Interval | None, than: str) -> str:
        if found is None:
            return "–"
        if not self.verdict.passed:
            return str(self.verdict)
        stamp = " noisy" if self.noisy else ""
        return f"{found.value:.2f}× [{found.low:.2f}, {found.high:.2f}] {than}{stamp}"

    def __str__(self) -> str:
        texts = (self.peer_text(), self.floor_text(), self.other_text())
        return ", ".join(text for text in texts if text != "–")


def standing_of(
    cell_series: Mapping[str, Series],
    verdict: Verdict,
    floors: Mapping[str, str],
    seed: int,
    other_verdict: Verdict | None = None,
) -> Standing | None:
    """Return the standing of an engine, None if nothing was beside it.

    Args:
        cell_series: of a cell, by name, yardsticks among them.
        verdict: of the engine.
        floors: engine -> its floor.
        seed: of the bootstrap.
        other_verdict: of the same engine of another build, held against this one.
    """
    series = cell_series[verdict.engine]
    peers = [name for name in cell_series if name in PEERS]
    peer = min(peers, key=lambda name: np.median(cell_series[name].by_round()), default=None)
    floor = floors.get(verdict.engine)
    if floor not in cell_series:
        floor = None
    other = None if other_verdict is None else other_verdict.engine
    beside = [cell_series[name] for name in (peer, floor, other) if name is not None]
    if not beside:
        return None
    return Standing(
        engine=verdict.engine,
        cell=series.cell,
        peer=peer,
        over_peer=None if peer is None else _times(cell_series[peer], series, seed),
        floor=floor,
        over_floor=None if floor is None else _times(series, cell_series[floor], seed),
        noisy=_noisy([series, *beside]),
        verdict=verdict,
        other=other,
        over_other=None if other is None else _times(cell_series[other], series, seed),
        other_verdict=other_verdict,
    )


def _times(above: Series, below: Series, seed: int) -> Interval:
    return paired_ratio(above.by_round(), below.by_round(), seed)


def _noisy(every: Sequence[Series]) -> bool:
    return max(repeat_noise(*series.by_position()) for series in every) > NOISE_LIMIT


def standing_table(stands: Sequence[Standing]) -> Table:
    """Return head and rows of what stands beside peers and above the floor."""
    head = ["batch", "beam", "length", "engine", "best peer", "floor", "other build"]
    rows = [
        [
            *(str(s.cell.batch), str(s.cell.beam), s.cell.mode, s.engine),
            *(s.peer_text(), s.floor_text(), s.other_text()),
        ]
        for s in stands
    ]
    return head, rows


def settings_table(every: Sequence[Series]) -> Table:
    """Return head and rows of what peers were found to be fastest with."""
    rows = [
        [str(s.cell.batch), str(s.cell.beam), s.cell.mode, label(s.engine), s.settings]
        for s in every
        if s.settings
    ]
    return ["batch", "beam", "length", "peer", "fastest settings"], rows


def standing_records(stands: Sequence[Standing]) -> list[dict[str, Any]]:
    """Return what `--json` prints."""
    return [
        {
            "engine": s.engine,
            "batch": s.cell.batch,
            "beam": s.cell.beam,
            "length": s.cell.mode,
            "best_peer": s.peer,
            "over_best_peer": msgspec.to_builtins(s.over_peer),
            "floor": s.floor,
            "times_of_floor": msgspec.to_builtins(s.over_floor),
            "other_build": s.other,
            "over_other_build": msgspec.to_builtins(s.over_other),
            "other_build_replies": None if s.other_verdict is None else str(s.other_verdict),
            "noisy": s.noisy,
            "replies_equal": s.verdict.mismatches == 0,
        }
        for s in stands
    ]
