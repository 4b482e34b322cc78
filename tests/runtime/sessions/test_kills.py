"""What was answered is in the file, whenever the process is killed and however full the disk is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import killed_talkers


def outcome(path: Path, *arguments: object) -> Any:
    """Return what the program tells of a file."""
    done = subprocess.run(
        [sys.executable, killed_talkers.__file__, path, *map(str, arguments)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_killed_process_loses_nothing_that_it_answered(tmp_path: Path) -> None:
    found = outcome(tmp_path / "sessions.db", 20, 1)
    assert found.pop("acknowledged") > 20
    assert found == {"kills": 20, "lost": 0, "faults": []}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_many_killed_processes_lose_nothing_that_they_answered(tmp_path: Path, seed: int) -> None:
    found = outcome(tmp_path / "sessions.db", 100, seed)
    assert found.pop("acknowledged") > 400
    assert found == {"kills": 100, "lost": 0, "faults": []}


def test_a_full_disk_fails_messages_and_loses_none_that_was_answered(tmp_path: Path) -> None:
    found = outcome(tmp_path / "sessions.db", "full")
    assert found["acknowledged"] >= 120  # those before and after
    assert found["failed"] > 0
    assert (found["is_remembered"], found["is_stored"]) == (True, True)
    (error,) = found["errors"]
    assert "cannot be read or written" in error
