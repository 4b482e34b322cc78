"""The cache of engines: private, whole, and nothing but what was put there."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from empgan_rt.backends.cache import EngineCache, cache_home
from empgan_rt.errors import StorageError

FACTS = {"kind": "turn_encoder", "tensorrt": "11.4"}


def test_bytes_come_back(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / "not" / "yet")
    assert cache.load(FACTS) is None
    cache.store(FACTS, b"plan\n\0more")
    assert cache.load(FACTS) == b"plan\n\0more"
    assert cache.load({**FACTS, "tensorrt": "11.5"}) is None
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert cache.folder.parent.stat().st_mode & 0o777 == 0o700
    assert cache.folder == tmp_path / "not" / "yet" / "empgan-rt" / "trt"


def test_where_caches_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_home({"XDG_CACHE_HOME": "/elsewhere"}) == Path("/elsewhere")
    assert cache_home({"XDG_CACHE_HOME": "relative"}) == tmp_path / ".cache"
    assert cache_home({}) == tmp_path / ".cache"


@pytest.mark.parametrize("level", ["empgan-rt", "empgan-rt/trt"])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, level: str) -> None:
    cache = EngineCache(tmp_path)
    (tmp_path / level).chmod(0o770)
    with pytest.raises(StorageError, match=r"written to by others \(mode 770\)"):
        EngineCache(tmp_path)
    if level.endswith("trt"):
        with pytest.raises(StorageError):
            cache.store(FACTS, b"plan")


@pytest.mark.parametrize("level", ["empgan-rt", "empgan-rt/trt"])
def test_a_link_is_refused(tmp_path: Path, level: str) -> None:
    (tmp_path / "real" / "trt").mkdir(parents=True, mode=0o700)
    place = tmp_path / level
    place.parent.mkdir(mode=0o700, exist_ok=True)
    place.symlink_to(tmp_path / "real")
    with pytest.raises(StorageError, match="is a link"):
        EngineCache(tmp_path)


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = os.geteuid()
    EngineCache(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with pytest.raises(StorageError, match=f"belongs to user {user}"):
        EngineCache(tmp_path)


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empgan-rt").write_text("")
    with pytest.raises(StorageError, match="cannot be used"):
        EngineCache(tmp_path)


def test_a_cache_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    shutil.rmtree(tmp_path / "empgan-rt")
    assert cache.load(FACTS) is None
    cache.store(FACTS, b"plan")
    assert cache.load(FACTS) == b"plan"
    assert cache.folder.parent.stat().st_mode & 0o777 == 0o700


def test_a_linked_engine_is_not_read(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    cache.store(FACTS, b"plan")
    path = cache.path(FACTS)
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert cache.load(FACTS) is None
    path.unlink()
    os.link(tmp_path / "moved", path)
    assert cache.load(FACTS) is None
    (tmp_path / "moved").unlink()
    assert cache.load(FACTS) == b"plan"


@pytest.mark.parametrize("data", [b"", b"\n", b"{}\nplan", b"plan", b'{"facts":{}}'])
def test_a_file_of_something_else_is_not_read(tmp_path: Path, data: bytes) -> None:
    cache = EngineCache(tmp_path)
    cache.path(FACTS).write_bytes(data)
    assert cache.load(FACTS) is None


def test_an_engine_for_other_facts_is_not_read(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    other = {**FACTS, "tensorrt": "10.16"}
    cache.store(other, b"plan")
    cache.path(other).rename(cache.path(FACTS))
    assert cache.load(FACTS) is None


def test_many_writers_leave_a_whole_file(tmp_path: Path) -> None:
    caches = [EngineCache(tmp_path) for _ in range(8)]
    plans = [bytes([i]) * 100_000 for i in range(8)]
    start = threading.Barrier(8)

    def write(i: int) -> None:
        start.wait()
        for _ in range(5):
            caches[i].store(FACTS, plans[i])
            assert caches[i].load(FACTS) in plans

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caches[0].load(FACTS) in plans
    assert len(list(caches[0].folder.iterdir())) == 1
