"""A whole run over sections of our own: the report after each, the command line, exit codes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from empgan_bench.gpu_check import __main__ as entry
from empgan_bench.gpu_check import check as module
from empgan_bench.gpu_check.check import check, chosen
from empgan_bench.gpu_check.command import main
from empgan_bench.gpu_check.records import Record, Report
from empgan_bench.gpu_check.runner import Settings
from empgan_bench.gpu_check.sections import Section
from empgan_rt.errors import InputError, ProviderError
from support.gpu_sections import section

MACHINE = section("gpu", "machine")
WITHOUT = section("no_gpu", "machine")
PASSING, FAILING, ABSENT = section("two_rows"), section("faulty"), section("absent")


def read(folder: Path) -> Report:
    return msgspec.json.decode((folder / "report.json").read_bytes(), type=Report)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(*sections: Section) -> None:
        monkeypatch.setattr(module, "SECTIONS", sections)

    return put


def test_the_report_is_there_after_each_section(tmp_path: Path) -> None:
    seen: list[tuple[str, list[str], list[str]]] = []

    def look(record: Record) -> None:
        before = read(tmp_path)  # as it was when this section began
        seen.append((record.name, [r.name for r in before.sections], before.to_come))

    made = check([MACHINE, FAILING, PASSING], Settings(tmp_path), ["a", "b"], look)
    assert seen == [
        ("machine", [], ["machine", "faulty", "two_rows"]),
        ("faulty", ["machine"], ["faulty", "two_rows"]),
        ("two_rows", ["machine", "faulty"], ["two_rows"]),
    ]
    assert read(tmp_path) == made
    assert made.machine == {"GPU": "A GPU"}
    assert (made.to_come, made.failures) == ([], ["faulty: one is too many"])


def test_what_is_to_come_keeps_its_share_of_the_time(tmp_path: Path) -> None:
    later = section("two_rows", least_s=40.0)
    made = check([section("told"), later], Settings(tmp_path, dry_run=True, limit_s=100.0), [])
    given = made.sections[0].figures[0]["seconds"]
    assert isinstance(given, float)
    assert 50 < given <= 60


def test_without_a_gpu_there_is_a_report_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="no GPU can be used"):
        check([WITHOUT, PASSING], Settings(tmp_path), [])
    assert [r.name for r in read(tmp_path).sections] == ["machine"]
    assert read(tmp_path).to_come == ["two_rows"]
    dry = check([WITHOUT, PASSING], Settings(tmp_path, dry_run=True), [])
    assert [r.status for r in dry.sections] == ["passed", "passed"]


def test_sections_are_chosen_by_name_in_the_order_of_the_table() -> None:
    assert [s.name for s in chosen("training, doctor")] == ["machine", "doctor", "training"]
    assert len(chosen("")) == len(module.SECTIONS)
    with pytest.raises(InputError, match="section 'nonsense'") as caught:
        chosen("doctor,nonsense")
    assert "machine, doctor" in caught.value.hint


@pytest.mark.parametrize(
    ("sections", "arguments", "code"),
    [
        ((MACHINE, PASSING, ABSENT), (), 0),
        ((MACHINE, PASSING, FAILING), (), 6),
        ((MACHINE, PASSING, FAILING), ("--only", "two_rows"), 0),
        ((WITHOUT, PASSING), (), 3),
        ((WITHOUT, PASSING), ("--dry-run", "--limit", "600"), 0),
        ((MACHINE, PASSING), ("--only", "nonsense"), 2),
        ((MACHINE, PASSING), ("--limit", "soon"), 2),
        ((MACHINE, PASSING), ("--limit", "0"), 2),
    ],
)
def test_exit_codes(
    table: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sections: tuple[Section, ...],
    arguments: tuple[str, ...],
    code: int,
) -> None:
    table(*sections)
    out = tmp_path / "out"
    assert main(["--out", str(out), *arguments]) == code
    shown = capsys.readouterr()
    if code in (0, 6):
        assert {path.name for path in out.iterdir()} == {"report.json", "report.md"}
        assert f"report: {out / 'report.md'}" in shown.out
        assert "two_rows passed, " in shown.err
    if code == 6:
        assert "error: 1 sections failed, first faulty: one is too many" in shown.err
    if code == 2:
        assert not out.exists()


def test_missing_packages_are_named_before_anything_is_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = {"msgspec", "psutil"}
    monkeypatch.setattr(entry, "find_spec", lambda name: None if name in absent else object())
    assert entry.main() == 3
    assert capsys.readouterr().err == (
        "error: msgspec, psutil not installed (pip install msgspec psutil)\n"
    )


def test_to_be_terminated_is_to_be_interrupted() -> None:
    with pytest.raises(SystemExit) as ended:
        entry._terminated(15, sys._getframe())
    assert ended.value.code == 143
