"""The process of one section: its job comes on stdin, what it finds is kept on disk."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import cast

import msgspec

from empgan_rt.errors import EmpganError
from empgan_rt.storage.file_set import replace_file

from .needs import missing, one_line
from .records import Figures, Finding, Job, Missing, Outcome, Status

Run = Callable[[Job], Iterator[Finding]]


def outcome_of(job: Job) -> Outcome:
    """Return what a section found; the record on disk grows with every finding."""
    figures, faults, notes = list[Figures](), list[str](), list[str]()

    def so_far() -> Outcome:
        status: Status = "failed" if faults else "passed" if figures else "skipped"
        reasons = dict.fromkeys([*faults, *notes])
        return Outcome(status, "; ".join(reasons), [*figures])

    try:
        if said := missing(job.needs):
            raise Missing(said)
        for finding in resolve(job.target)(job):
            figures += [finding.figures] if finding.figures else []
            faults += [finding.fault] if finding.fault else []
            notes += [finding.note] if finding.note else []
            keep(job, so_far())
    except Missing as absent:
        if not faults:
            return Outcome("skipped", str(absent), figures)
        notes.append(str(absent))
    except EmpganError as error:
        faults.append(one_line(error))
    return so_far()


def resolve(target: str) -> Run:
    """Return the function named by "module:function"."""
    module, _, function = target.partition(":")
    return cast(Run, getattr(import_module(module), function))


def keep(job: Job, outcome: Outcome) -> None:
    """Write what was found so far in place of what was there."""
    replace_file(Path(job.record), msgspec.json.encode(outcome))


def main() -> None:
    """Run the section of the job on stdin."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    keep(job, outcome_of(job))


if __name__ == "__main__":
    main()
