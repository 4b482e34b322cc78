"""A step is done once, and again when its output is gone or altered or its inputs changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from empgan_rt.errors import StorageError
from empgan_training.reproduction.ledger import Ledger, Step, file_sha256


class Counted:
    """A step that writes one file and remembers how it was called."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "out" / "file"
        self.calls: list[bool] = []
        self.ledger = Ledger(folder)
        self.fails = False

    def perform(self, **inputs: Any) -> bool:
        return self.ledger.perform(Step("some/step", inputs, [self.out], self._run, file_sha256))

    def _run(self, anew: bool) -> None:
        self.calls.append(anew)
        if self.fails:
            raise RuntimeError
        self.out.parent.mkdir(exist_ok=True)
        self.out.write_text("written")


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    return Counted(tmp_path)


def test_a_step_is_done_once(counted: Counted) -> None:
    assert counted.perform(rate=0.1, seeds=(1, 2))
    assert not counted.perform(rate=0.1, seeds=(1, 2))
    assert counted.calls == [True]


def test_other_inputs_do_it_again(counted: Counted) -> None:
    counted.perform(rate=0.1)
    assert counted.perform(rate=0.2)
    assert counted.calls == [True, True]


@pytest.mark.parametrize("damage", ["removed", "altered"])
def test_an_output_that_is_not_as_it_was_does_it_again(counted: Counted, damage: str) -> None:
    counted.perform()
    if damage == "removed":
        counted.out.unlink()
    else:
        counted.out.write_text("something else")
    assert counted.perform()
    assert counted.calls == [True, True]
    assert counted.out.read_text() == "written"


def test_a_marker_that_was_cut_short_counts_for_nothing(counted: Counted, tmp_path: Path) -> None:
    counted.perform()
    marker = tmp_path / "steps" / "some" / "step.json"
    marker.write_bytes(marker.read_bytes()[:20])
    assert counted.perform()


def test_a_step_that_was_killed_goes_on_and_begins_anew_once_its_inputs_change(
    counted: Counted,
) -> None:
    counted.fails = True
    for rate in (0.1, 0.1, 0.2, 0.2):
        with pytest.raises(RuntimeError):
            counted.perform(rate=rate)
    counted.fails = False
    assert counted.perform(rate=0.2)
    assert not counted.perform(rate=0.2)
    assert counted.calls == [True, False, True, False, False]


def test_a_step_that_leaves_an_output_out_is_an_error_and_not_done(counted: Counted) -> None:
    step = Step("some/step", {}, [counted.out], lambda anew: None, file_sha256)
    for _ in range(2):
        with pytest.raises(StorageError, match="left 0 of 1 files"):
            counted.ledger.perform(step)


def test_a_files_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert file_sha256(tmp_path / "empty").startswith("e3b0c44298fc1c149afbf4c8996fb924")
