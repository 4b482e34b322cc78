"""A whole run: the machine first, then what was chosen, and the report anew after each section."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

from empgan_rt.errors import InputError, ProviderError

from . import report as files
from .machine import GPU
from .records import Record, Report
from .runner import Runner, Settings
from .sections import MACHINE, SECTIONS, Section

_HINT = (
    "see that `nvidia-smi` lists one and that CUDA_VISIBLE_DEVICES does not hide it\n"
    "or rehearse on the CPU: --dry-run"
)


def chosen(names: str) -> list[Section]:
    """Return the sections of a comma-separated list, in the table's order; all if it is empty.

    The machine is always among them.

    Raises:
        InputError: a name is unknown.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = [section.name for section in SECTIONS]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise InputError(f"section {unknown[0][:40]!r}", hint=f"use {', '.join(known)}")
    return [s for s in SECTIONS if not wanted or s.name in (MACHINE, *wanted)]


def check(
    wanted: Sequence[Section],
    settings: Settings,
    command: Sequence[str],
    on_record: Callable[[Record], None] = lambda record: None,
) -> Report:
    """Return the report of some sections, which is in the folder before the first and after each.

    Args:
        wanted: in their order, the machine first.
        settings: of the run.
        command: for the report.
        on_record: called when a section is over.

    Raises:
        ProviderError: there is no GPU, and this is no dry run.
        StorageError: the report cannot be written.
    """
    runner = Runner(settings)
    report = Report(
        dry_run=settings.dry_run,
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=[*command],
        limit_s=settings.limit_s,
        machine={},
        sections=runner.records,
        to_come=[section.name for section in wanted],
    )
    for section in wanted:
        files.write(report, settings.out)
        report.to_come.remove(section.name)
        later = [other for other in wanted if other.name in report.to_come]
        record = runner.run(section, later)
        on_record(record)
        if section.name == MACHINE:
            report.machine.update({str(row["what"]): row["value"] for row in record.figures})
            if record.status == "passed" and GPU not in report.machine and not settings.dry_run:
                files.write(report, settings.out)
                raise ProviderError("no GPU can be used", hint=_HINT)
    files.write(report, settings.out)
    return report
