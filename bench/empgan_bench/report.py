"""What a run hands on: the record that becomes `report.json`, and its headline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from .cold_start import ColdStart
from .fingerprint import Fingerprint
from .suite import Outcome, Plan

SCHEMA_VERSION = "1.1"


class EngineRecord(msgspec.Struct, frozen=True):
    """One worker: how it was opened, and the memory it held at the end."""

    name: str
    versions: dict[str, str]
    load_ms: float
    rss_mib: float
    gc: str
    allocator: str


class WorkloadRecord(msgspec.Struct, frozen=True):
    """Which dialogues were decoded."""

    source: str
    sha256: str
    contexts: int


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What every report tells of where and with what it was made."""

    schema_version: str = SCHEMA_VERSION
    bundle: str
    workload: WorkloadRecord
    engines: list[EngineRecord]
    fingerprint: Fingerprint
    load_average_after: float


class Report(Circumstances, frozen=True, kw_only=True):
    """Everything in `report.json`.

    `outcome.series` holds the raw samples, milliseconds each.
    """

    plan: Plan
    outcome: Outcome
    cold_starts: list[ColdStart] = []  # reports of version 1.0 have none


def headline(report: Report) -> str:
    """Return the lines that matter most: every engine's ratio to the reference, and failures."""
    ratios = report.outcome.ratios
    lines = [f"{r.engine} against {r.reference}, {r.cell}: {r}" for r in ratios]
    if not ratios:
        lines = ["one engine only: there is no ratio"]
    lines += [f"FAILED {failure}" for failure in report.outcome.failures]
    return "\n".join(lines)


def brief(report: Report, folder: Path) -> dict[str, Any]:
    """Return what `--json` prints: the ratios, what failed, and where the report lies."""
    outcome = report.outcome
    return {
        "kind": report.plan.kind,
        "bundle_id": report.fingerprint.bundle_id,
        "passed": not outcome.failures,
        "failures": outcome.failures,
        "warnings": outcome.warnings,
        "ratios": [
            {
                "engine": r.engine,
                "reference": r.reference,
                "batch": r.cell.batch,
                "beam": r.cell.beam,
                "length": r.cell.mode,
                "ratio": r.speedup.value,
                "low": r.speedup.low,
                "high": r.speedup.high,
                "noisy": r.noisy,
                "replies_equal": r.verdict.mismatches == 0,
                "ties": r.verdict.ties,
                "mismatches": r.verdict.mismatches,
                "contexts": r.verdict.contexts,
            }
            for r in outcome.ratios
        ],
        "report": str(folder),
    }
