"""What is read from pytest's log, whole or cut short."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from empgan_bench.workers.client import import_path
from gpu.check import _PYTEST, Run
from gpu.report import Check
from gpu.results import read_log
from gpu.sections import Section


def log(folder: Path, *entries: dict[str, object], rest: str = "") -> Path:
    file = folder / "log"
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries) + rest)
    return file


def phases(test: str, *phases: str, outcome: str = "passed", why: object = None) -> list[dict]:  # type: ignore[type-arg]
    """Return reports of a test's phases, the last of which has the outcome."""
    return [
        {
            "$report_type": "TestReport",
            "nodeid": f"tests/gpu/{test}",
            "when": phase,
            "outcome": outcome if phase == phases[-1] else "passed",
            "longrepr": why,
            "user_properties": [["figures", {"of": test}], ["other", 1]],
        }
        for phase in phases
    ]


ALL = ("setup", "call", "teardown")


def test_what_a_run_says(tmp_path: Path) -> None:
    crash = {"reprcrash": {"path": "x", "lineno": 1, "message": "assert\n 1 == 2"}}
    found = read_log(
        log(
            tmp_path,
            {"$report_type": "SessionStart", "pytest_version": "9"},
            *phases("b.py::one", *ALL),
            *phases("b.py::two", "setup", "call", outcome="failed", why=crash),
            *phases("b.py::two", "teardown"),
            *phases("b.py::three", "setup", outcome="failed", why="no fixture"),
            *phases("b.py::three", "teardown"),
            *phases("b.py::four", "setup", outcome="skipped", why=["f", 1, "Skipped: no CUDA"]),
            *phases("b.py::four", "teardown"),
            *phases("b.py::five", *ALL, outcome="failed", why="left open"),
        )
    )
    assert found.checks == [
        Check("tests/gpu/b.py::one", "passed"),
        Check("tests/gpu/b.py::two", "failed", "assert 1 == 2"),
        Check("tests/gpu/b.py::three", "failed", "no fixture"),
        Check("tests/gpu/b.py::four", "skipped", "no CUDA"),
        Check("tests/gpu/b.py::five", "failed", "left open"),
    ]
    assert (found.status, found.reason) == (
        "failed",
        "b.py::two: assert 1 == 2; b.py::three: no fixture; b.py::five: left open",
    )
    assert found.figures[0] == {"of": "b.py::one"}
    assert len(found.figures) == 5


def test_tests_that_were_all_skipped_prove_nothing(tmp_path: Path) -> None:
    why = ["f", 1, "Skipped: no CUDA: none"]
    entries = [
        entry
        for test in ("a", "b")
        for entry in (
            *phases(test, "setup", "call", outcome="skipped", why=why),
            *phases(test, "teardown"),
        )
    ]
    found = read_log(log(tmp_path, *entries))
    assert (found.status, found.reason) == ("skipped", "no CUDA: none")


def test_the_test_that_was_under_way_is_named(tmp_path: Path) -> None:
    file = log(tmp_path, *phases("a", *ALL), *phases("b", "setup"), rest='{"nodeid": "b')
    ended, stopped = read_log(file), read_log(file, stopped=True)
    assert ended.checks[1] == Check("tests/gpu/b", "failed", "the process ended in it")
    assert ended.status == "failed"
    assert stopped.checks[1] == Check("tests/gpu/b", "skipped", "the process was stopped in it")
    assert stopped.status == "passed"  # what the limit makes of it is for the run to say
    assert ended.figures == [{"of": "a"}]


def test_without_a_log_nothing_was_found(tmp_path: Path) -> None:
    found = read_log(tmp_path / "log")
    assert (found.status, found.checks) == ("skipped", [])


def test_pytest_itself_is_run(tmp_path: Path) -> None:
    """Over files of which one lacks a package, and says so, and one is broken."""
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.gpu\ndef test_one():\n    pass\n"
        "@pytest.mark.gpu\ndef test_two():\n    assert 1 == 2\n"
        "def test_three():\n    pass\n"
    )
    mark = "pytestmark = pytest.mark.gpu"
    (tests / "test_lacking.py").write_text(
        f"import pytest\n{mark}\npytest.importorskip('nothing_of_the_kind')\n"
    )
    (tests / "test_broken.py").write_text(f"import pytest\n{mark}\nimport nothing_at_all\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu: needs one\n")
    files = tuple(str(path) for path in sorted(tests.glob("test_*.py")))
    found = Run(tmp_path).run(Section("tests", "they pass", 300.0, files))
    assert found.status == "failed"
    results = {check.test.removeprefix("tests/"): check.result for check in found.checks}
    assert results == {
        "test_lacking.py": "skipped",
        "test_broken.py": "failed",
        "test_it.py::test_one": "passed",
        "test_it.py::test_two": "failed",
    }
    assert "test_it.py::test_two: assert 1 == 2" in found.reason
    assert "its process ended" not in found.reason  # the tests say it all
    lacking = Run(tmp_path).run(Section("tests", "they pass", 300.0, (files[2],)))
    assert lacking.status == "skipped"
    assert "nothing_of_the_kind" in lacking.reason


def test_the_tests_of_this_folder_are_collected_by_their_engine() -> None:
    command = [sys.executable, *_PYTEST, "--collect-only", "-qq", "tests/gpu", "-k", "tensorrt"]
    root = Path(__file__).parents[2]
    ours = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": import_path()}
    done = subprocess.run(command, cwd=root, env=ours, capture_output=True, text=True, check=True)
    found = [line for line in done.stdout.splitlines() if "::" in line]
    assert found
    assert all("tensorrt" in line for line in found)
    files = {line.partition("::")[0] for line in found}
    assert files == {f"tests/gpu/test_{name}.py" for name in ("goldens", "tokens", "memory")}
