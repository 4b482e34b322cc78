"""What a report says of peers and of the floor: tables, records, and how they were measured."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from ..engines.table import PEERS, YARDSTICKS, label
from ..measuring.timing import Series
from .standing import Standing


def standing_table(stands: Sequence[Standing]) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of what stands beside peers and above the floor."""
    head = ["batch", "beam", "length", "engine", "best peer", "floor"]
    rows = [
        [
            *(str(s.cell.batch), str(s.cell.beam), s.cell.mode, s.engine),
            *(s.peer_text(), s.floor_text()),
        ]
        for s in stands
    ]
    return head, rows


def settings_table(every: Sequence[Series]) -> tuple[list[str], list[list[str]]]:
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
            "noisy": s.noisy,
            "replies_equal": s.verdict.mismatches == 0,
        }
        for s in stands
    ]


def yardstick_methods(names: Collection[str], device: str) -> Iterator[str]:
    """Yield what must be known of the yardsticks among some names, a sentence or two each."""
    if YARDSTICKS.difference(PEERS).intersection(names):
        whose = {
            "cpu": "bundle's graphs alone, in ONNX Runtime",
            "cuda": "model alone, by cuBLAS as CUDA graphs in one stream, timed by events there",
        }[device]
        yield (
            f" Floor: the matrix products of the {whose}, on real "
            "values, as many steps as the reference took. It writes no replies and is no engine."
        )
    if YARDSTICKS.intersection(PEERS, names):
        yield (
            " Peers: other projects' decoders with random weights, in interpreters of their own, "
            "each with the settings that were fastest when tried on the cell's first batch, 20 "
            "tokens a reply. What they write means nothing, so no gate sees it."
        )
