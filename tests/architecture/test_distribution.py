"""What is published as a package: no stored results, which are for readers of the repository."""

from __future__ import annotations

import tomllib

from support.source_tree import PACKAGES, ROOT

TARGETS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"][
    "targets"
]


def test_an_sdist_has_no_stored_results() -> None:
    assert "docs" in TARGETS["sdist"]["include"]
    assert "docs/results" in TARGETS["sdist"]["exclude"]


def test_a_wheel_has_the_packages_alone() -> None:
    assert {ROOT / path for path in TARGETS["wheel"]["packages"]} == {*PACKAGES.values()}
    assert "force-include" not in TARGETS["wheel"]
