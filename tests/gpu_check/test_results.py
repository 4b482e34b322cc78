"""The tests that are marked `gpu`: which files hold them, and what a run of them says."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from empgan_bench.gpu_check import gpu_tests
from empgan_bench.gpu_check.gpu_tests import TESTS, marked, ran
from empgan_bench.gpu_check.records import Finding, Missing
from support.gpu_sections import MakeJob
from support.source_tree import ROOT

PASSES = '<testcase classname="a.test_b" name="test_c"/>'
FAILS = '<testcase classname="a" name="d"><failure message="assert&#10; 1 == 2"/></testcase>'
BREAKS = '<testcase classname="a" name="e"><error message="no fixture"/></testcase>'
SKIPPED = '<testcase classname="a" name="f"><skipped message="no CUDA: none"/></testcase>'


@pytest.fixture
def run(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Finding]]:
    """Run the section over a pytest that leaves these results, or none."""

    def with_results(*cases: str, status: int = 1) -> list[Finding]:
        def pytest_run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
            (results,) = (part for part in command if part.startswith("--junitxml="))
            if cases:
                text = f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"
                Path(results.partition("=")[2]).write_text(text)
            return subprocess.CompletedProcess(command, status)

        monkeypatch.setattr(gpu_tests.subprocess, "run", pytest_run)
        return [*ran(job())]

    return with_results


def test_the_files_with_marked_tests_are_found() -> None:
    assert TESTS == ROOT / "tests"
    found = {path.relative_to(TESTS).as_posix() for path in marked(TESTS)}
    assert {
        "runtime/backends/onnxruntime/test_on_cuda.py",
        "runtime/backends/tensorrt/test_on_gpu.py",
    } <= found
    assert "runtime/cli/test_doctor.py" not in found


def test_what_a_run_says(run: Callable[..., list[Finding]]) -> None:
    found = run(PASSES, PASSES, FAILS, BREAKS, SKIPPED)
    assert found[0].figures == {"test": "2 tests", "result": "passed", "why": ""}
    assert [(f.figures["test"], f.figures["result"], f.fault) for f in found[1:]] == [
        ("a::d", "failed", "a::d: assert 1 == 2"),
        ("a::e", "failed", "a::e: no fixture"),
        ("a::f", "skipped", ""),
    ]


def test_tests_that_were_all_skipped_prove_nothing(run: Callable[..., list[Finding]]) -> None:
    with pytest.raises(Missing, match=r"^no CUDA: none$"):
        run(SKIPPED, SKIPPED)


def test_a_pytest_that_broke_down_is_a_fault(run: Callable[..., list[Finding]]) -> None:
    assert [f.fault for f in run(status=4)] == ["pytest ended with status 4"]


def test_without_tests_there_is_nothing_to_run(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gpu_tests, "TESTS", tmp_path)
    with pytest.raises(Missing, match="from a clone"):
        list(ran(job()))


def test_pytest_itself_is_run(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
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
    monkeypatch.setattr(gpu_tests, "TESTS", tests)
    found = [*ran(job())]
    assert found[0].figures["test"] == "1 tests"
    results = {str(f.figures["test"]).strip(":"): f for f in found[1:]}
    assert {name: f.figures["result"] for name, f in results.items()} == {
        "tests.test_lacking": "skipped",
        "tests.test_broken": "failed",
        "tests.test_it::test_two": "failed",
    }
    assert results["tests.test_it::test_two"].fault == "tests.test_it::test_two: assert 1 == 2"
