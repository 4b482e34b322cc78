"""Files that belong together: whenever a process ends, none of them is beside another's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.errors import StorageError
from empgan_rt.storage.file_set import replace_together
from support.kills import kills

NAMES = ("report.json", "report.md", "report.html")
OLD, NEW = ({name: f"{name} of {run}".encode() for name in NAMES} for run in ("old", "new"))


def contents(folder: Path) -> Mapping[str, bytes]:
    """Return what is there under names that readers look for."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def test_files_are_written_and_replaced_beside_others(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "mine.txt").write_bytes(b"mine")
    for files in (OLD, NEW):
        paths = replace_together(tmp_path / "in", files)
        assert [path.name for path in paths] == [*NAMES]
        assert contents(tmp_path / "in") == {**files, "mine.txt": b"mine"}
        assert len([*(tmp_path / "in").iterdir()]) == 4
    replace_together(tmp_path / "new" / "folder", NEW)
    assert contents(tmp_path / "new" / "folder") == NEW


def test_a_kill_at_any_line_leaves_files_of_one_run(tmp_path: Path) -> None:
    """The JSON is always there; beside it is what belongs to it, or nothing."""
    found = []
    for killed in kills(lambda: replace_together(tmp_path, NEW), replace_together):
        replace_together(tmp_path, OLD)
        killed()
        left = contents(tmp_path)
        assert "report.json" in left
        assert left.items() <= OLD.items() or left.items() <= NEW.items()
        found.append(left)
    assert found[0] == OLD
    assert found[-1] == NEW
    assert len({*map(len, found)}) == 3  # kills fell between the steps
    replace_together(tmp_path, NEW)  # and what they left is in nobody's way
    assert {path.name for path in tmp_path.iterdir()} == {*NAMES}


def failing(*_: object, **__: object) -> Any:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("owner", "step"), [(os, "fsync"), (Path, "unlink"), (Path, "replace")])
def test_a_failing_disk_is_told_of_and_mixes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, step: str
) -> None:
    replace_together(tmp_path, OLD)
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, failing)
        with pytest.raises(StorageError, match=r"report\.json cannot be written: No space"):
            replace_together(tmp_path, NEW)
    left = contents(tmp_path)
    assert left.items() <= OLD.items()
    assert left == OLD or step == "replace"
    replace_together(tmp_path, NEW)
    assert {path.name for path in tmp_path.iterdir()} == {*NAMES}


def test_no_space_for_a_later_file_leaves_all_older_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_together(tmp_path, OLD)
    calls = iter([None, failing, failing])
    flush = os.fsync

    def second_fails(descriptor: int) -> None:
        (next(calls) or flush)(descriptor)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(StorageError):
        replace_together(tmp_path, NEW)
    assert contents(tmp_path) == OLD
    assert len([*tmp_path.iterdir()]) == 3


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    with pytest.raises(StorageError):
        replace_together(tmp_path / "file" / "folder", NEW)
