"""What the findings of a section come to, and what is on the disk meanwhile."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from empgan_bench.gpu_check import child, needs
from empgan_bench.gpu_check.records import Finding, Job, Missing, Outcome
from support import gpu_sections
from support.gpu_sections import MakeJob


def come_of(job: Job, target: str) -> Outcome:
    return child.outcome_of(msgspec.structs.replace(job, target=f"support.gpu_sections:{target}"))


def test_the_first_need_that_is_not_met_skips(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"one": lambda: "", "two": lambda: "two: install it", "three": lambda: "three"}
    monkeypatch.setattr(needs, "NEEDS", table)
    assert come_of(job(needs=("one", "two", "three")), "two_rows") == Outcome(
        "skipped", "two: install it"
    )
    assert come_of(job(needs=("one",)), "two_rows").status == "passed"


def test_the_record_grows_with_every_finding(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(child, "keep", lambda job, outcome: seen.append(outcome))
    come_of(job(), "faulty")
    assert [(o.status, len(o.figures)) for o in seen] == [("failed", 1), ("failed", 2)]


def test_what_is_missing_later_leaves_a_fault_a_fault(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(job: Job):  # type: ignore[no-untyped-def]
        yield Finding({"value": 1}, fault="wrong")
        raise Missing("the rest")

    monkeypatch.setattr(gpu_sections, "faulty", late)
    found = come_of(job(), "faulty")
    assert (found.status, found.reason) == ("failed", "wrong; the rest")


def test_the_record_is_replaced_whole(job: MakeJob) -> None:
    asked = job()
    for status in ("passed", "failed"):
        child.keep(asked, Outcome(status))  # type: ignore[arg-type]
        kept = msgspec.json.decode(Path(asked.record).read_bytes(), type=Outcome)
        assert kept.status == status
