"""Altered bundles, sealed again: nothing comes of them but our errors, or a fine reply."""

from __future__ import annotations

from pathlib import Path

import pytest

from empgan_rt import BundleError
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.verification.audit import audit
from empgan_rt.verification.quarantine import Replay, probe
from support.mutated_bundles import write_mutated
from support.mutations import try_seeds

MODULE = "support.mutated_bundles"


def check(base: str, seeds: range, tmp_path: Path) -> None:
    """Try some seeds.

    ONNX Runtime itself ends the process on a few graphs, such as a transposition of axes that are
    not there. What looks at a stranger's bundle first must refuse all of these.
    """
    outcomes, count = try_seeds(MODULE, base, seeds), len(seeds)
    print(dict(outcomes.counts))
    assert outcomes.faults == []
    assert len(outcomes.crashes) <= count / 500
    for seed in outcomes.crashes:
        folder = tmp_path / str(seed)
        write_mutated(base, folder, seed)
        with pytest.raises(BundleError):
            refuse(folder)
    assert outcomes.counts.total() == count
    assert outcomes.counts["BundleError"] > count / 2
    assert outcomes.counts["fine"] > count / 50  # so that not all of them are refused at the door


def refuse(folder: Path) -> None:
    """Do what `inspect --untrusted --verify` does."""
    bundle = Bundle.open(folder)
    audit(bundle)
    probe(str(folder), bundle, Replay(None, "onnxruntime", "cpu"))


def test_what_ends_the_process_is_refused_by_an_audit(tmp_path: Path) -> None:
    """A seed on which onnxruntime 1.32 aborts while it loads the graph."""
    write_mutated("tiny", tmp_path / "bundle", 505)
    with pytest.raises(BundleError):
        refuse(tmp_path / "bundle")


def test_a_few_of_the_toy(toy_folder: Path, tmp_path: Path) -> None:
    check(str(toy_folder), range(200), tmp_path)


@pytest.mark.slow
def test_some_of_the_embedded_model(tmp_path: Path) -> None:
    check("tiny", range(400), tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
def test_many_of_the_embedded_model(part: int, tmp_path: Path) -> None:
    check("tiny", range(part * 1300, (part + 1) * 1300), tmp_path)
