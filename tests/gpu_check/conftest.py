"""Sections of planted tests, which end in every way that a test can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gpu.sections import Section
from runtime.backends.conftest import fakes

__all__ = ["fakes", "planted"]

Planted = Callable[..., Section]
TESTS = """
import os
import time

import pytest

pytestmark = pytest.mark.gpu


@pytest.fixture
def tell(record_property):
    return lambda **row: record_property("figures", row)


def test_gpu(tell):
    tell(what="GPU", value="A GPU")


def test_no_gpu(tell):
    tell(what="CPU", value="A CPU")


def test_two_rows(tell):
    tell(value=1.5)
    tell(value=None)


def test_faulty(tell):
    tell(value=1)
    assert not "a fault", "one is too many"


def test_absent():
    pytest.skip("a thing is missing: install it")


@pytest.mark.timeout(1)
def test_hang(tell):
    tell(value=3)
    time.sleep(600)


def test_crash(tell):
    tell(value=4)
    print("nobody reads this")
    os.abort()


def test_told(tell, pytestconfig):
    tell(dry=int(pytestconfig.option.rehearse), order=os.environ["CUDA_DEVICE_ORDER"])

"""
REHEARSE = """
def pytest_addoption(parser):
    parser.addoption("--rehearse", action="store_true")
"""


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    """Make a section of some planted tests."""
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = gpu: needs one\n")
    (folder / "conftest.py").write_text(REHEARSE)
    file = folder / "test_it.py"
    file.write_text(TESTS)

    def section(*tests: str, name: str = "", **fields: object) -> Section:
        given = {"limit_s": 300.0, "tests": tuple(f"{file}::test_{test}" for test in tests)}
        return Section(name or tests[0], "something", **(given | fields))  # type: ignore[arg-type]

    return section
