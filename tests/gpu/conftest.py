"""What the checks of a GPU have in common; --rehearse lets them compute on the CPU instead."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpu.engines import Tell


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rehearse", action="store_true", help="On the CPU, with small numbers.")


@pytest.fixture(scope="session")
def device(pytestconfig: pytest.Config) -> str:
    """Where engines compute: "cuda", or "cpu" in a rehearsal."""
    return "cpu" if pytestconfig.getoption("--rehearse", default=False) else "cuda"


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Put a row of figures into the report, whether or not the test passes then."""
    return lambda row: record_property("figures", row)
