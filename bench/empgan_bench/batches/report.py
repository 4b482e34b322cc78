"""What a run hands on: the record that becomes `report.json`, and its headline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ..measuring.cold_start import ColdStart
from ..measuring.fingerprint import Circumstances
from .outcome import Outcome
from .standing import standing_records
from .suite import Plan


class Report(Circumstances, frozen=True, kw_only=True):
    """Everything in `report.json`.

    `outcome.series` holds the raw samples, milliseconds each.
    """

    plan: Plan
    outcome: Outcome
    # Reports of version 1.0 have none.
    cold_starts: list[ColdStart] = msgspec.field(default_factory=list)


def headline(report: Report) -> str:
    """Return the lines that matter most: how every engine stands in each cell, and failures.

    That is its ratio to the reference, its ratio to the best peer and its distance to the floor.
    """
    stands = {(s.engine, s.cell): s for s in report.outcome.standings}
    lines = []
    for ratio in report.outcome.ratios:
        standing = stands.pop((ratio.engine, ratio.cell), None)
        more = "" if standing is None else f"; {standing}"
        lines.append(f"{ratio.engine} against {ratio.reference}, {ratio.cell}: {ratio}{more}")
    lines += [f"{s.engine}, {s.cell}: {s}" for s in stands.values()]  # the reference's
    if not report.outcome.ratios:
        lines = ["one engine only: there is no ratio", *lines]
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
        "standings": standing_records(outcome.standings),
        "report": str(folder),
    }
