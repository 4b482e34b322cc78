"""A whole run over planted tests: every way to end, the report after each section, exit codes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gpu import __main__ as entry
from gpu import sections
from gpu.__main__ import main
from gpu.check import Run, judged
from gpu.engines import NEEDS_ON
from gpu.report import Outcome, Record, Report
from gpu.sections import SECTIONS, TESTS, marked
from gpu_check.conftest import Planted


def read(folder: Path) -> Report:
    return msgspec.json.decode((folder / "report.json").read_bytes(), type=Report)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda *made: monkeypatch.setattr(sections, "SECTIONS", made)


def test_whatever_dies_is_in_the_report_and_the_rest_is_run(
    planted: Planted, table: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table(
        planted("gpu", name="machine"),
        planted("faulty", "two_rows"),
        planted("hang", "two_rows"),
        planted("two_rows", "crash", name="crash"),
        planted("gpu", name="stopped", limit_s=0.001),
        planted("absent"),
        planted("two_rows"),
    )
    out = tmp_path / "out"
    assert main(["--out", str(out)]) == 6
    shown = capsys.readouterr()
    found = {record.name: record for record in read(out).sections}
    assert {name: record.status for name, record in found.items()} == {
        **{"machine": "passed", "faulty": "failed", "hang": "failed", "crash": "failed"},
        **{"stopped": "failed", "absent": "skipped", "two_rows": "passed"},
    }
    faulty, hang, crash = found["faulty"], found["hang"], found["crash"]
    assert faulty.reason.startswith("test_it.py::test_faulty: AssertionError: one is too many")
    assert [check.result for check in faulty.checks] == ["failed", "passed"]
    assert faulty.figures == [{"value": 1}, {"value": 1.5}, {"value": None}]
    assert "test_it.py::test_hang: Failed: Timeout (>1.0s) from pytest-timeout" in hang.reason
    assert hang.figures == [{"value": 3}, {"value": 1.5}, {"value": None}]
    assert "test_it.py::test_crash: the process ended in it; its process ended by SIGABRT" in (
        crash.reason
    )
    assert crash.figures == [{"value": 1.5}, {"value": None}]  # of the test before it
    assert any("Fatal Python error: Aborted" in line for line in crash.said)
    assert found["stopped"].reason == "stopped after 0 s, which is its limit"
    assert found["absent"].reason == "a thing is missing: install it"
    assert found["two_rows"].said == []
    text = (out / "report.md").read_text("utf-8")
    for name, record in found.items():
        assert f"| {name} | {record.status} | " in text
    for why in ("one is too many", "Timeout (>1.0s)", "SIGABRT", "which is its limit"):
        assert why in text
    assert {path.name for path in out.iterdir()} == {"report.json", "report.md"}
    assert f"report: {out / 'report.md'}" in shown.out
    assert "two_rows passed, " in shown.err
    assert "error: 4 sections failed, first faulty: test_it.py::test_faulty: " in shown.err


def test_the_report_is_there_after_each_section(planted: Planted, tmp_path: Path) -> None:
    seen: list[tuple[str, list[str], list[str]]] = []

    def look(record: Record) -> None:
        now = read(tmp_path)
        seen.append((record.name, [r.name for r in now.sections], now.to_come))

    run = Run(tmp_path, command="a b")
    assert run.check([planted("gpu", name="machine"), planted("absent")], look)
    assert seen == [
        ("machine", ["machine"], ["absent"]),
        ("absent", ["machine", "absent"], []),
    ]
    assert read(tmp_path) == run.report
    assert run.report.machine == {"GPU": "A GPU"}
    assert (run.report.to_come, run.report.failures) == ([], [])


def test_without_a_gpu_there_is_a_report_of_the_machine(
    planted: Planted, table: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table(planted("no_gpu", name="machine"), planted("told"))
    assert main(["--out", str(tmp_path)]) == 3
    assert "error: no GPU can be used" in capsys.readouterr().err
    assert [r.name for r in read(tmp_path).sections] == ["machine"]
    assert read(tmp_path).to_come == ["told"]
    assert main(["--out", str(tmp_path), "--dry-run", "--limit", "600"]) == 0
    dry = read(tmp_path)
    assert [r.status for r in dry.sections] == ["passed", "passed"]
    assert dry.sections[1].figures == [{"dry": 1, "order": "PCI_BUS_ID"}]
    assert dry.limit_s == 600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "doctor,nonsense"), "section 'nonsense'; use machine, doctor, "),
        (("--limit", "soon"), "invalid float value: 'soon'"),
        (("--limit", "0"), "--limit takes seconds"),
        (("--limit", "nan"), "--limit takes seconds"),
    ],
)
def test_what_nobody_can_mean_is_refused(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--out", str(tmp_path / "out"), *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["--out", str(tmp_path / "file" / "out")]) == 9
    assert "cannot be made" in capsys.readouterr().err


def test_an_interrupted_run_leaves_its_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(run: Run, section: sections.Section) -> Record:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "run", interrupted)
    assert main(["--out", str(tmp_path), "--only", "doctor"]) == 130
    assert read(tmp_path).to_come == ["machine", "doctor"]


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ((), [section.name for section in SECTIONS]),
        (("--only", "training, doctor"), ["machine", "doctor", "training"]),
        (("--only", "goldens"), ["machine", *(f"goldens-{e}" for e in sorted(NEEDS_ON)[::-1])]),
    ],
)
def test_sections_are_chosen_by_name_in_the_order_of_the_table(
    only: tuple[str, ...], names: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[str] = []

    def nothing(run: Run, section: sections.Section) -> Record:
        seen.append(section.name)
        return Record("passed", name=section.name, proves="", seconds=0.0)

    monkeypatch.setattr(Run, "run", nothing)
    assert main(["--out", str(tmp_path), "--dry-run", *only]) == 0
    assert sorted(seen) == sorted(names)
    assert seen == [section.name for section in SECTIONS if section.name in names]


def test_what_is_about_a_gpu_is_skipped_in_a_dry_run(planted: Planted, tmp_path: Path) -> None:
    found = Run(tmp_path, dry=True).run(planted("told", rehearsed=False))
    assert (found.status, found.reason) == ("skipped", "no GPU in a dry run")


def test_time_that_is_spent_skips_by_name(planted: Planted, tmp_path: Path) -> None:
    found = Run(tmp_path, limit_s=0.0).run(planted("told"))
    assert (found.status, found.reason) == ("skipped", "no time is left")


def test_a_section_without_tests_has_failed(planted: Planted, tmp_path: Path) -> None:
    section = planted("told")
    none = replace(section, tests=(*section.tests, "-k", "nothing_of_the_kind"))
    found = Run(tmp_path).run(none)
    assert found.status == "failed"
    assert found.reason.startswith("its process ended with status 5 after ")


@pytest.mark.parametrize(
    ("found", "status", "seconds", "wanted"),
    [
        (Outcome("passed", "a note"), 0, 9.0, ("passed", "a note")),
        (
            Outcome("passed", "a note"),
            3,
            9.0,
            ("failed", "a note; its process ended with status 3"),
        ),
        (Outcome("passed"), -9, 9.0, ("failed", "its process ended by SIGKILL")),
        (Outcome("passed"), None, 9.0, ("failed", "stopped after 9 s, which is its limit")),
        (Outcome("passed"), None, 5.0, ("skipped", "cut short after 5 s for lack of time")),
        (Outcome("failed", "x"), None, 5.0, ("failed", "x; cut short after 5 s for lack of time")),
    ],
)
def test_what_a_section_has_come_to(
    found: Outcome, status: int | None, seconds: float, wanted: tuple[str, str]
) -> None:
    outcome = judged(found, status, seconds, limit_s=9.0)
    assert (outcome.status, outcome.reason) == wanted


def test_the_table_is_sound() -> None:
    names = [section.name for section in SECTIONS]
    assert len(set(names)) == len(names)
    assert names[0] == "machine"
    for section in SECTIONS:
        assert section.limit_s > 0
        assert bool(section.tests) != bool(section.batch)
        assert all(Path(part).is_file() for part in section.tests if part.endswith(".py"))
    files = {Path(section.tests[0]) for section in SECTIONS if section.tests}
    assert {*(TESTS / "gpu").glob("test_*.py")} <= files


def test_the_other_files_with_marked_tests_are_found() -> None:
    found = {Path(path).relative_to(TESTS).as_posix() for path in marked()}
    assert "runtime/backends/onnxruntime/test_on_cuda.py" in found
    assert "training/test_on_gpu.py" in found
    assert "runtime/backends/tensorrt/test_on_gpu.py" not in found  # a section of its own
    assert "runtime/cli/test_doctor.py" not in found


def test_missing_packages_are_named_before_anything_is_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = {"msgspec", "pytest_timeout"}
    monkeypatch.setattr(entry, "find_spec", lambda name: None if name in absent else object())
    assert entry.main() == 3
    assert capsys.readouterr().err == (
        "error: msgspec, pytest-timeout not installed (pip install msgspec pytest-timeout)\n"
    )


def test_to_be_terminated_is_to_be_interrupted() -> None:
    with pytest.raises(SystemExit) as ended:
        entry._terminated(15, sys._getframe())
    assert ended.value.code == 143
