"""Locks refuse a second process at once and end with their block; some systems have none."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from empgan_rt.errors import InputError
from empgan_rt.storage.locks import locked_file, only_writer, take_lock
from empgan_rt.storage.replacing import others_write, staging_folder


def test_one_run_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    with (
        only_writer(tmp_path),
        pytest.raises(InputError, match="another run is at work"),
        only_writer(tmp_path),
    ):
        pytest.fail("both had the lock")
    with only_writer(tmp_path):
        pass
    assert [*tmp_path.iterdir()] == []


def test_one_run_at_a_time_writes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with locked_file(path) as file:
        file.write(b"mine")
        file.flush()
        with pytest.raises(InputError, match="another run is writing"), locked_file(path):
            pytest.fail("both had the lock")
    with locked_file(path) as file:
        assert file.read() == b"mine"


def test_a_file_that_got_its_last_name_meanwhile_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening a file and locking it, whoever held the lock may have renamed it."""
    path = tmp_path / "file.part"
    path.write_bytes(b"another's")
    renamed: list[Path] = []

    def late(descriptor: int) -> bool:
        if not renamed:
            renamed.append(path.rename(tmp_path / "file"))
        return take_lock(descriptor)

    monkeypatch.setattr("empgan_rt.storage.locks.take_lock", late)
    with locked_file(path) as file:
        file.write(b"mine")
    assert (tmp_path / "file").read_bytes() == b"another's"
    assert path.read_bytes() == b"mine"


def test_a_file_system_without_locks_is_worked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with only_writer(tmp_path), locked_file(tmp_path / "file"):
        pass


def test_another_writer_of_a_folder_is_seen_and_a_dead_one_is_not(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / ".out.0123abcd.new").mkdir()  # of a process that was killed
    assert not others_write(out)
    with staging_folder(out) as mine:
        assert others_write(out)
        assert not others_write(out, mine)
    assert not others_write(out)
