"""The tests that are marked `gpu`, by pytest itself.

Only files that hold such tests are collected, so that what other tests need may be missing.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from .records import Figures, Finding, Job, Missing

TESTS = Path(__file__).parents[3] / "tests"
_MARK = "pytest.mark.gpu"
# In one process: they share a GPU, and what spreads tests over cores need not be there.
_OPTIONS = "--override-ini=addopts=--strict-markers --import-mode=importlib"
_MOST = 200  # characters of a reason


def ran(job: Job) -> Iterator[Finding]:
    """Yield the tests that failed or were skipped, and how many passed.

    Raises:
        Missing: the tests are not in this installation, or each of them was skipped.
    """
    files = marked(TESTS)
    if not files:
        raise Missing("there are no tests beside this installation: run it from a clone")
    results = Path(job.record).with_name("results.xml")
    command = [sys.executable, "-m", "pytest", _OPTIONS, "-q", "-m", "gpu", *map(str, files)]
    command += ["--continue-on-collection-errors", f"--junitxml={results}"]
    done = subprocess.run(command, cwd=TESTS.parent, check=False)
    if not results.is_file():
        yield Finding(fault=f"pytest ended with status {done.returncode}")
        return
    passed, others = read_results(results)
    if not passed and all(row["result"] == "skipped" for row in others):
        raise Missing("; ".join(dict.fromkeys(str(row["why"]) for row in others)) or "no tests")
    yield Finding({"test": f"{passed} tests", "result": "passed", "why": ""})
    for row in others:
        failed = row["result"] == "failed"
        yield Finding(row, f"{row['test']}: {row['why']}" if failed else "")


def marked(folder: Path) -> list[Path]:
    """Return the test files that name the mark."""
    return [path for path in sorted(folder.rglob("test_*.py")) if _MARK in path.read_text("utf-8")]


def read_results(file: Path) -> tuple[int, list[Figures]]:
    """Return how many tests passed in a JUnit file, and a row for each other one."""
    passed, others = 0, list[Figures]()
    for case in ElementTree.parse(file).iter("testcase"):
        wrong = next((part for part in case if part.tag in ("failure", "error", "skipped")), None)
        if wrong is None:
            passed += 1
            continue
        others.append(
            {
                "test": f"{case.get('classname', '')}::{case.get('name', '')}",
                "result": "skipped" if wrong.tag == "skipped" else "failed",
                "why": " ".join(wrong.get("message", "").split())[:_MOST],
            }
        )
    return passed, others
