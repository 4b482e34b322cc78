"""A whole run: one section after another, and the report anew after each.

Each section is a process of its own. It may take the GPU down or end by a signal: it has failed
then, what it found before counts, and the next one starts afresh.
"""

from __future__ import annotations

import datetime
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import asdict, replace

from gpu import processes, speed
from gpu.report import Outcome, Record, Report, Status, write
from gpu.results import read_log
from gpu.sections import MACHINE, Section

# In one process, since they share a GPU, and without whatever plugins the machine has.
_PYTEST = (
    *("-m", "pytest", "--override-ini=addopts=--strict-markers --import-mode=importlib"),
    *("-p", "pytest_timeout", "-p", "pytest_reportlog.plugin", "-p", "no:cacheprovider"),
    *("-v", "-m", "gpu", "--continue-on-collection-errors"),
)
_SOME_FAILED, _NONE_COLLECTED = 1, 5  # statuses of pytest


class Run:
    """One run, whose time runs from now.

    Args:
        out: folder of the report.
        dry: on the CPU, with small numbers.
        limit_s: seconds for all sections; None for any.
        command: for the report.
    """

    def __init__(
        self, out: Path, *, dry: bool = False, limit_s: float | None = None, command: str = ""
    ) -> None:
        self._out, self._dry, self._began = out, dry, time.monotonic()
        self._engines = [*(speed.DRY_ENGINES if dry else speed.ENGINES)]  # that the bench still has
        started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.report = Report(dry, started, command, limit_s)

    def check(
        self, wanted: Sequence[Section], on_record: Callable[[Record], None] = lambda record: None
    ) -> bool:
        """Return whether there is a GPU, or this is a dry run; without one the machine is all.

        The report is in the folder before the first section and after each.
        """
        report = self.report
        report.to_come += [section.name for section in wanted]
        write(report, self._out)
        for section in wanted:
            record = self.run(section)
            report.to_come.pop(0)
            report.sections.append(record)
            if section.name == MACHINE:
                report.machine.update({str(row["what"]): row["value"] for row in record.figures})
            write(report, self._out)
            on_record(record)
            known = section.name == MACHINE and record.status == "passed"
            if known and "GPU" not in report.machine and not self._dry:
                return False
        return True

    def run(self, section: Section) -> Record:
        """Return the record of a section."""
        start, said, seconds = time.monotonic(), list[str](), section.limit_s
        if self.report.limit_s is not None:
            seconds = min(seconds, self._began + self.report.limit_s - start)
        if self._dry and not section.rehearsed:
            found = Outcome("skipped", "no GPU in a dry run")
        elif seconds <= 0:
            found = Outcome("skipped", "no time is left")
        else:
            with tempfile.TemporaryDirectory() as folder:
                found, status = self._perform(section, start + seconds, Path(folder))
                said = processes.last_lines(Path(folder))
            found = judged(found, status, seconds, section.limit_s, said[-1] if said else "")
        return Record(
            **asdict(found),
            name=section.name,
            proves=section.proves,
            seconds=round(time.monotonic() - start, 1),
            said=said if found.status == "failed" else [],
        )

    def _perform(self, section: Section, ends: float, folder: Path) -> tuple[Outcome, int | None]:
        """Return what a section found, and the status of its process, 0 if that tells no more."""

        def run(arguments: Sequence[str]) -> tuple[int | None, bytes]:
            status = processes.ended(arguments, folder, max(0.0, ends - time.monotonic()))
            return status, (folder / "stdout").read_bytes()

        if section.batch:
            out = self._out.resolve() / "bench" / f"batch-{section.batch}"
            return speed.measure(self._engines, section.batch, out, run, dry=self._dry)
        log, rehearse = folder / "log", ["--rehearse"] if self._dry else []
        status, _ = run([*_PYTEST, *rehearse, f"--report-log={log}", *section.tests])
        found = read_log(log, stopped=status is None)
        told = {_SOME_FAILED: found.status == "failed", _NONE_COLLECTED: found.checks != []}
        return found, 0 if status is not None and told.get(status) else status


def judged(
    found: Outcome, status: int | None, seconds: float, limit_s: float, said: str = ""
) -> Outcome:
    """Return what a section has come to.

    Args:
        found: what it had found when its process ended.
        status: that of the process; None if it was stopped.
        seconds: how long it might take.
        limit_s: how long it may take where there is time enough.
        said: the last line that it printed.
    """
    if status == 0:
        return found
    then: Status = "failed"
    if status is not None:
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        reason = f"its process ended {how}" + (f" after {said!r}" if said else "")
    elif seconds < limit_s:  # the whole run is short of time
        then = "failed" if found.status == "failed" else "skipped"
        reason = f"cut short after {seconds:.0f} s for lack of time"
    else:
        reason = f"stopped after {seconds:.0f} s, which is its limit"
    return replace(found, status=then, reason="; ".join(filter(None, (found.reason, reason))))
