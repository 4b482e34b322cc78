"""Fresh processes, one at a time, looked at from outside after each phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from empgan_rt.bundle.bundle import Bundle
from empgan_rt.text.featurizer import encoder_input

from ..batches.suite import search_of
from ..engines.table import OTHER, REFERENCE
from ..measuring import fingerprint
from ..measuring.bench import Progress, engine_record
from ..measuring.fingerprint import Circumstances, EngineRecord, OtherBuild, WorkloadRecord
from ..measuring.gate import Cell
from ..measuring.slo import Objective
from ..measuring.stats import NOISE_LIMIT
from ..measuring.workload import load_workload
from ..workers.client import Worker
from .usage import PHASES, Usage, check_system, usage_of

_SINGLE = 16  # dialogues that are answered one at a time


class MemoryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure.

    Attributes:
        batch: dialogues of the one large batch.
        beam: of every search; lengths are natural.
        replies: to single dialogues, after that batch.
        runs: fresh processes of each engine.
        seed: of the dialogues' order.
        objectives: each must hold for every engine of this build but the reference.
    """

    batch: int
    beam: int
    replies: int
    runs: int
    seed: int
    objectives: tuple[Objective, ...] = ()
    kind: Literal["memory"] = "memory"

    def told(self, phase: str) -> str:
        """Return the name of a phase for people."""
        after = {
            "started": "interpreter and imports",
            "loaded": "model loaded",
            "first": "first reply",
            "batch": f"batch of {self.batch}",
            "later": f"after {self.replies} more replies",
        }
        return after[phase]


class MemoryRow(msgspec.Struct, frozen=True):
    """One engine after one phase: medians over its processes.

    Attributes:
        usage: what a process holds.
        spread_mib: the largest `rss_mib` of a process less the smallest.
        samples: of each process.
    """

    engine: str
    phase: str
    usage: Usage
    spread_mib: float
    samples: list[Usage]


class MemoryOutcome(msgspec.Struct, frozen=True):
    """Everything that was measured: engines in order, phases in order, and what is wrong."""

    rows: list[MemoryRow]
    failures: list[str]
    warnings: list[str]


class MemoryReport(Circumstances, frozen=True, kw_only=True):
    """Everything in the `report.json` of `bench memory`."""

    plan: MemoryPlan
    outcome: MemoryOutcome


def run_memory(
    plan: MemoryPlan,
    bundle: str,
    engines: Mapping[str, str],
    workload: Path | None,
    threads: int,
    on_progress: Progress = lambda done, note: None,
    other: OtherBuild | None = None,
) -> MemoryReport:
    """Return the report of a plan, also where an objective is missed.

    Args:
        plan: what to measure.
        bundle: folder or name.
        engines: name -> opener.
        workload: a JSONL file, or None for our own dialogues.
        threads: of each engine.
        on_progress: called with the number of finished processes and the current engine.
        other: another build, whose engines take their turns in the same run.

    Raises:
        DependencyError: this is not Linux.
        EmpganError: the bundle, the workload or an engine failed.
    """
    check_system()
    opened = Bundle.open(bundle)
    work = load_workload(workload, opened.featurizer())
    before = fingerprint.take(opened.bundle_id, threads)
    drawn = [work.contexts[place] for place in work.drawn(max(plan.batch, _SINGLE), plan.seed)]
    batches = [encoder_input([context]) for context in drawn[:_SINGLE]]
    batches.append(encoder_input(drawn[: plan.batch]))
    search = search_of(Cell(plan.batch, plan.beam, "natural"), opened.search)
    openers = dict(engines) | (other.openers if other else {})
    records: dict[str, EngineRecord] = {}
    samples: dict[str, list[list[Usage]]] = {name: [] for name in openers}
    for run in range(plan.runs):
        for place, (name, opener) in enumerate(openers.items()):
            on_progress(run * len(openers) + place, name)
            held: list[Usage] = []
            note = _noted(held)
            python = other.python if other and name in other.openers else None
            with Worker(
                name, opener, bundle, threads, python, installed=True, started=note
            ) as worker:
                worker.host([], plan.batch, 0)  # what reads and writes text belongs to a server
                worker.load(batches)
                note(worker.pid)
                worker.run([0], search)
                note(worker.pid)
                worker.run([_SINGLE], search)
                note(worker.pid)
                worker.run([at % _SINGLE for at in range(plan.replies)], search)
                note(worker.pid)
                records[name] = engine_record(worker)
            samples[name].append(held)
    on_progress(plan.runs * len(openers), "")
    return MemoryReport(
        bundle=bundle,
        workload=WorkloadRecord(work.source, work.sha256, len(work.contexts)),
        engines=list(records.values()),
        fingerprint=before,
        load_average_after=fingerprint.load_average(),
        other_build=other,
        plan=plan,
        outcome=outcome_of(plan, samples),
    )


def _noted(held: list[Usage]) -> Callable[[int], None]:
    """Return what enters the memory of a process, given its number."""
    return lambda pid: held.append(usage_of(pid))


def share_of_other(rows: Sequence[MemoryRow], row: MemoryRow) -> float | None:
    """Return RSS of a row over that of the other build's; None where no other was measured."""
    for other in rows:
        if (other.engine, other.phase) == (row.engine + OTHER, row.phase):
            return row.usage.rss_mib / other.usage.rss_mib
    return None


def outcome_of(plan: MemoryPlan, samples: Mapping[str, Sequence[Sequence[Usage]]]) -> MemoryOutcome:
    """Return the medians of all processes, and hold the objectives against them.

    Args:
        plan: whose objectives must hold.
        samples: engine -> processes -> phases.
    """
    rows, failures = [], []
    for engine, processes in samples.items():
        mine = [
            _row(engine, phase, list(found))
            for phase, found in zip(PHASES, zip(*processes, strict=True), strict=True)
        ]
        rows += mine
        if engine != REFERENCE and not engine.endswith(OTHER):
            found = {
                f"{row.phase}_{name}": value
                for row in mine
                for name, value in msgspec.structs.asdict(row.usage).items()
            }
            missed = [objective.missed(found) for objective in plan.objectives]
            failures += [f"{engine}: {text}" for text in missed if text]
    return MemoryOutcome(rows, failures, _doubts(plan, rows))


def _row(engine: str, phase: str, samples: list[Usage]) -> MemoryRow:
    names = Usage.__struct_fields__
    values = {name: [getattr(sample, name) for sample in samples] for name in names}
    held = values["rss_mib"]
    middle = Usage(**{name: float(np.median(of)) for name, of in values.items()})
    return MemoryRow(engine, phase, middle, max(held) - min(held), samples)


def _doubts(plan: MemoryPlan, rows: Sequence[MemoryRow]) -> list[str]:
    """Return what makes the figures doubtful."""
    worst = max(rows, key=lambda row: row.spread_mib / row.usage.rss_mib)
    if worst.spread_mib <= NOISE_LIMIT * worst.usage.rss_mib:
        return []
    return [
        f"processes of one engine differ by up to {worst.spread_mib:.1f} MiB "
        f"({worst.engine}, {plan.told(worst.phase)})"
    ]
