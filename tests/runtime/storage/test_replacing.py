"""A name holds the old or the new, whenever the writer is killed, and leftovers go."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from empgan_rt.storage import replacing
from empgan_rt.storage.folders import open_folder, replace_folder
from empgan_rt.storage.replacing import exchange, restored, staging_file, staging_folder, sweep
from support import killed_writers

PROGRAM = killed_writers.__file__


OURS = ("file_set.py", "folders.py", "replacing.py")
REMOVAL = pytest.param((*OURS, "shutil.py"), 180, marks=pytest.mark.slow)


@pytest.mark.parametrize("how", ["exchange", "aside"])
@pytest.mark.parametrize(("traced", "lines"), [(OURS, 90), REMOVAL])
def test_a_kill_at_any_line_loses_no_folder_and_leaves_nothing(
    tmp_path: Path, how: str, traced: tuple[str, ...], lines: int
) -> None:
    check_kills(tmp_path, how, traced, lines)


def test_a_kill_at_any_line_loses_no_file_and_leaves_nothing(tmp_path: Path) -> None:
    check_kills(tmp_path, "file", OURS, 30)


def test_a_kill_at_any_line_mixes_no_files_and_leaves_nothing(tmp_path: Path) -> None:
    check_kills(tmp_path, "together", OURS, 60)


def check_kills(folder: Path, how: str, traced: tuple[str, ...], lines: int) -> None:
    """Run once for each line of these modules that a replacement passes."""
    done = subprocess.run(
        [sys.executable, PROGRAM, how, str(folder), *traced],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert found["kills"] > lines


def folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "text").write_text(text)
    return path


@pytest.mark.parametrize("writer", [staging_folder, staging_file])
def test_a_name_that_no_file_can_have_is_refused_before_anything_is_written(
    writer: Callable[[Path], AbstractContextManager[object]], tmp_path: Path
) -> None:
    with pytest.raises(OSError) as raised, writer(tmp_path / ("a" * 300)):
        pytest.fail("the block began")
    assert raised.value.errno == errno.ENAMETOOLONG
    assert [*tmp_path.iterdir()] == []


def test_two_names_are_swapped_where_the_system_can(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "one", "1"), folder(tmp_path / "other", "2")
    if not exchange(one, other):
        pytest.skip("this file system cannot swap two names")
    assert ((one / "text").read_text(), (other / "text").read_text()) == ("2", "1")
    with pytest.raises(FileNotFoundError):
        exchange(one, tmp_path / "absent")


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP])
def test_a_system_that_cannot_swap_moves_the_old_one_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    class Library:
        @staticmethod
        def renameat2(*arguments: object) -> int:
            return -1

    monkeypatch.setattr(replacing.ctypes, "CDLL", lambda *arguments, **more: Library)
    monkeypatch.setattr(replacing.ctypes, "get_errno", lambda: code)
    out = folder(tmp_path / "out", "old")
    replace_folder(folder(tmp_path / "new", "new"), out)
    assert (out / "text").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_without_the_system_call_nothing_is_swapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing.ctypes, "CDLL", lambda *arguments, **more: object())
    assert exchange(folder(tmp_path / "one", "1"), folder(tmp_path / "other", "2")) is False


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    dead = [tmp_path / f".out.0123abc{i}.{kind}" for i, kind in enumerate(("new", "gone", "part"))]
    others = [tmp_path / ".other.0123abcd.new", tmp_path / ".out.0123abcd.note"]
    for path in dead[:2]:
        folder(path, "left")
    for path in (dead[2], *others):
        path.write_text("left")
    link = tmp_path / ".out.99999999.gone"
    link.symlink_to(others[0])
    with staging_folder(out) as staging, staging_file(out) as file:
        (staging / "text").write_text("mine")
        file.write(b"mine")
        file.flush()
        sweep(out)
        Path(file.name).replace(out)
        assert (staging / "text").read_text() == "mine"
    assert out.read_bytes() == b"mine"
    assert not any(map(os.path.lexists, [*dead, link, staging]))
    assert all(path.exists() for path in others)


def test_who_loses_a_new_folder_to_a_sweep_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between making it and locking it, it looks like a leftover."""
    out, taken = tmp_path / "out", []
    flock = replacing.fcntl.flock

    def late(descriptor: int, how: int) -> None:
        for path in tmp_path.glob(".out.*.new"):
            if not taken:
                taken.append(path)
                path.rmdir()
        flock(descriptor, how)

    monkeypatch.setattr(replacing.fcntl, "flock", late)
    with staging_folder(out) as staging:
        assert staging.is_dir()
        assert [staging] != taken
    assert len(taken) == 1


def test_an_old_folder_is_given_back_only_where_the_name_is_missing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    aside = folder(tmp_path / ".out.0123abcd.old", "old")
    assert restored(out)
    assert (out / "text").read_text() == "old"
    folder(aside, "older")
    assert restored(out)
    assert (out / "text").read_text() == "old"
    sweep(out)
    assert not aside.exists()
    assert not restored(tmp_path / "absent")
    assert not restored(tmp_path / "no folder" / "absent")


def test_a_reader_finds_one_or_the_other_while_a_writer_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also between the two renames of a file system that cannot swap."""
    monkeypatch.setattr(replacing, "exchange", lambda one, other: False)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    out = folder(tmp_path / "out", "0")
    done = threading.Event()

    def write() -> None:
        for number in range(30):
            with staging_folder(out) as staging:
                (staging / "text").write_text(str(number))
                replace_folder(staging, out)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        with open_folder(out) as root:
            assert root >= 0
    writer.join()
    assert (out / "text").read_text() == "29"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_without_locks_leftovers_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can tell whether their writers live; replacing works as ever."""
    left = folder(tmp_path / ".out.0123abcd.new", "left")

    def refused(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(replacing.fcntl, "flock", refused)
    out = folder(tmp_path / "out", "old")
    replace_folder(folder(tmp_path / "new", "new"), out)
    assert (out / "text").read_text() == "new"
    assert left.exists()
