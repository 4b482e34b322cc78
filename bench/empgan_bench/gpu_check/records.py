"""What a section is asked, what it finds, and the report that all of them make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Status = Literal["passed", "failed", "skipped"]
Value = str | int | float | None
Figures = Mapping[str, Value]
"""One row of a section's table: column -> value."""

SCHEMA_VERSION = "1.0"


class Job(msgspec.Struct, frozen=True):
    """What a section's process is told.

    Attributes:
        target: "module:function", see `Finding`.
        needs: keys of `needs.NEEDS`; the first one that is not there skips the section.
        record: the file for what is found.
        out: the folder of the report, for files of the section's own.
        device: "cuda", or "cpu" in a dry run.
        engine: which engine the section is about; "" if it is about none.
        seconds: how long it may take.
        broken: engines that failed a section before this one, or could not be opened there.
    """

    target: str
    needs: tuple[str, ...]
    record: str
    out: str
    device: str
    engine: str
    seconds: float
    broken: tuple[str, ...] = ()

    @property
    def dry(self) -> bool:
        """Whether this is a rehearsal on the CPU, with small numbers of everything."""
        return self.device == "cpu"


class Finding(msgspec.Struct, frozen=True):
    """One thing that a section found; sections are functions from a `Job` to an iterator of these.

    Attributes:
        figures: its row of the section's table; empty if there is nothing to show.
        fault: why the section has failed; "" if all is as it should be.
        note: what a reader should know; "" if there is nothing.
    """

    figures: Figures = {}
    fault: str = ""
    note: str = ""


class Missing(Exception):  # noqa: N818 - nothing has gone wrong
    """Raised by a section that cannot be run here: what is not there, and how to get it."""


class Outcome(msgspec.Struct, frozen=True):
    """What a section's process has found so far.

    Attributes:
        reason: faults and notes, or why it was skipped.
        figures: the rows of its table.
    """

    status: Status
    reason: str = ""
    figures: list[Figures] = []


class Record(msgspec.Struct, frozen=True):
    """One section of the report.

    Attributes:
        proves: what it shows if it passes.
        seconds: how long it took.
        said: the last lines that its process printed, if it failed.
    """

    name: str
    proves: str
    status: Status
    reason: str
    seconds: float
    figures: list[Figures] = []
    said: list[str] = []


class Report(msgspec.Struct, kw_only=True):
    """Everything in `report.json`; it grows with every section.

    Attributes:
        dry_run: whether it was a rehearsal on a CPU.
        started: UTC, ISO 8601.
        command: its arguments.
        limit_s: seconds that the whole run was given; None for any.
        machine: the rows of the section `machine`, name -> value.
        sections: those that are over, in their order.
        to_come: names of the others, the one that is under way first.
    """

    schema_version: str = SCHEMA_VERSION
    dry_run: bool
    started: str
    command: list[str]
    limit_s: float | None
    machine: dict[str, Value]
    sections: list[Record]
    to_come: list[str]

    @property
    def failures(self) -> list[str]:
        """A line for each section that failed."""
        return [f"{r.name}: {r.reason}" for r in self.sections if r.status == "failed"]
