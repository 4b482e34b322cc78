"""What was built, as a record and for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .engines import Engine, EngineRoom
from .machine import version_of

NOT_EXECUTED = (
    "They wait in the cache for backend='tensorrt'. No GPU has executed any when this version was\n"
    "made: docs/gpu.md tells how to see that they compute what they should."
)


def engine_records(room: EngineRoom, engines: Sequence[Engine]) -> dict[str, Any]:
    """Return the engines and what they were built for, as plain JSON values."""
    return {
        "tensorrt": version_of(room.machine.trt),
        "gpu": asdict(room.machine.gpu),
        "folder": str(room.cache.folder),
        "tf32": room.tf32,
        "engines": [
            {
                **asdict(engine.request),
                "profiles": [
                    {axis: [*sizes] for axis, sizes in p.items()} for p in engine.profiles
                ],
                "bytes": len(engine.plan),
                "cached": engine.cached,
                "seconds": engine.seconds,
            }
            for engine in engines
        ],
    }


def engine_table(record: dict[str, Any]) -> str:
    """Return what `engine_records` tells, for people."""
    gpu = record["gpu"]
    lines = [
        f"tensorrt     {record['tensorrt']}",
        f"gpu          {gpu['name']}, {gpu['compute_capability']}, driver {gpu['driver']}",
        f"folder       {record['folder']}",
        f"{'engine':<16} {'precision':<9} {'beam':>4} {'candidates':>10} {'MiB':>6}  made in",
    ]
    for row in record["engines"]:
        beam, candidates = (row[name] or "" for name in ("beam", "candidates"))
        made = "found" if row["cached"] else f"{row['seconds']:.1f} s"
        what = f"{row['graph']:<16} {row['precision']:<9} {beam:>4} {candidates:>10}"
        lines.append(f"{what} {row['bytes'] / 2**20:>6.1f}  {made}")
    return "\n".join([*lines, NOT_EXECUTED])
