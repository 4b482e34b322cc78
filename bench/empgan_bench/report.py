"""What a run hands on: the record that becomes `report.json`, and its tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .engines import PEERS, label
from .fingerprint import Fingerprint
from .gate import Difference
from .standing_text import standing_records, yardstick_methods
from .suite import Outcome, Plan
from .summary import Ratio, Row

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


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in `report.json`.

    `outcome.series` holds the raw samples, milliseconds each.
    """

    schema_version: str = SCHEMA_VERSION
    bundle: str
    plan: Plan
    workload: WorkloadRecord
    engines: list[EngineRecord]
    outcome: Outcome
    fingerprint: Fingerprint
    load_average_after: float


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


def ratio_table(ratios: Sequence[Ratio]) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of the ratios to the reference."""
    head = ["batch", "beam", "length", "engine", "times faster than", "ratio", "replies", "rounds"]
    rows = [
        [
            *(str(r.cell.batch), str(r.cell.beam), r.cell.mode, r.engine, r.reference),
            *(str(r), str(r.verdict), str(r.rounds)),
        ]
        for r in ratios
    ]
    return head, rows


def row_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of the statistics."""
    head = (
        *("batch", "beam", "length", "engine", "n", "p50 [95 %]", "p90", "p95", "p99", "max"),
        *("per dialogue", "encode", "step", "search", "first token", "per token"),
        *("dialogues/s", "tokens/s", "noise", "idle"),
    )
    return list(head), [list(_cells_of(row)) for row in rows]


def _cells_of(row: Row) -> Iterator[str]:
    total = row.total_ms
    yield from (str(row.cell.batch), str(row.cell.beam), row.cell.mode, label(row.engine))
    yield str(total.n)
    yield f"{total.p50:.2f} [{total.p50_low:.2f}, {total.p50_high:.2f}]"
    for percentile in (total.p90, total.p95, total.p99, total.max):
        yield "–" if percentile is None else f"{percentile:.2f}"
    yield f"{row.dialogue_ms:.2f}"
    for part in (row.encode_ms, row.step_ms, row.search_ms, row.first_token_ms, row.per_token_ms):
        yield "–" if row.engine in PEERS else f"{part.p50:.2f}"  # a peer tells no parts
    writes = row.tokens_per_s.max > 0  # which the floor does not
    yield f"{row.dialogues_per_s.p50:.1f}" if writes else "–"
    yield f"{row.tokens_per_s.p50:.0f}" if writes else "–"
    yield f"{row.noise:.1%}"
    yield f"{row.idle_cpu_share:.2f}"


def difference_table(differences: Sequence[Difference]) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of ties and mismatches, the token ids left to `report.json`."""
    head = ["batch", "beam", "length", "engine", "item", "dialogue", "first at", "gap", "kind"]
    rows = []
    for d in differences:
        pairs = enumerate(zip(d.wanted, d.found, strict=False))
        shorter = min(len(d.wanted), len(d.found))
        first = next((place for place, (want, have) in pairs if want != have), shorter)
        gap = "unknown" if d.gap is None else f"{d.gap:.2e}"
        cell = [str(d.cell.batch), str(d.cell.beam), d.cell.mode]
        kind = "tie" if d.is_tie else "mismatch"
        rows.append([*cell, d.engine, str(d.item), str(d.row), str(first), gap, kind])
    return head, rows


def method(report: Report) -> str:
    """Return how it was measured, in one paragraph."""
    plan, workload = report.plan, report.workload
    names = {engine.name for engine in report.engines}
    fixed = "Fixed length: ends of sequence are struck until 20 tokens are there. "
    return (
        "One live worker process per engine, called in ABBA order, the same batches and search "
        f"for all; threads of each engine: {report.fingerprint.threads}. "
        f"{'' if plan.kind == 'throughput' else fixed}"
        f"{workload.contexts} contexts ({workload.source}), seed {plan.seed}. "
        "Every reply, repeated ones too, is compared with the reference's; a difference is a tie "
        "only if float64 scores both alike, within 1e-4 of the longer one's log-probability. "
        "Warm-up (one pass over all "
        f"batches and {plan.warmup} rounds) is in report.json, not in the statistics. At least "
        f"{plan.min_time_s:g} s are measured in each cell. Not in the times: featurising, "
        f"detokenising and the pipe to the worker.{''.join(yardstick_methods(names))}"
    )


def circumstances(report: Report) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of the fingerprint and the engines."""
    f = report.fingerprint
    rows = [
        ["CPU", f"{f.cpu} ({', '.join(f.cpu_features)}), governor {f.governor}"],
        ["cores allowed, of", f"{f.cores_allowed}, {f.cores}"],
        ["RAM", f"{f.ram_gib} GiB"],
        ["system", f"{f.system}, Python {f.python}"],
        ["empgan-rt", f"{f.empgan_rt}, commit {f.commit or 'unknown'}"],
        ["packages", ", ".join(f"{name} {version}" for name, version in f.packages.items())],
        ["bundle", f"{report.bundle}, {f.bundle_id}"],
        ["workload", f"{report.workload.source}, SHA-256 {report.workload.sha256[:16]}"],
        ["load average before, after", f"{f.load_average}, {report.load_average_after}"],
        ["command", " ".join(f.command)],
    ]
    rows += [
        [
            f"engine {label(e.name)}",
            f"{', '.join(f'{name} {version}' for name, version in e.versions.items())}; opened in "
            f"{e.load_ms:.0f} ms; {e.rss_mib:.0f} MiB; garbage collector {e.gc}; allocator "
            f"{e.allocator}",
        ]
        for e in report.engines
    ]
    return ["what", "value"], rows
