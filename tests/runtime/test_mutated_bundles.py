"""Altered bundles, sealed again: nothing comes of them but our errors, or a fine reply."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.mutations import Outcomes, try_seeds

MODULE = "support.mutated_bundles"


def check(outcomes: Outcomes, count: int) -> None:
    print(dict(outcomes.counts))
    assert outcomes.faults == []
    assert outcomes.counts.total() == count
    assert outcomes.counts["BundleError"] > count / 2
    assert outcomes.counts["fine"] > count / 50  # so that not all of them are refused at the door


def test_a_few_of_the_toy(toy_folder: Path) -> None:
    check(try_seeds(MODULE, str(toy_folder), range(250)), 250)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_many_of_the_embedded_model(part: int) -> None:
    check(try_seeds(MODULE, "tiny", range(part * 1300, (part + 1) * 1300)), 1300)
