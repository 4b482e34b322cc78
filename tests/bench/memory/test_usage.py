"""What the kernel tells of a process, and where it tells nothing."""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

import pytest

from empgan_bench.memory.usage import METRICS, Usage, check_system, usage_of
from empgan_rt.errors import DependencyError, EmpganError

ROLLUP = """\
00400000-7ffd00000000 ---p 00000000 00:00 0                          [rollup]
Rss:              204800 kB
Pss:              102400 kB
Pss_Anon:          51200 kB
Private_Dirty:     40960 kB
Anonymous:         51200 kB
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def pretended(proc: Path, rollup: str = ROLLUP) -> Path:
    (proc / "7").mkdir()
    (proc / "7" / "smaps_rollup").write_text(rollup)
    (proc / "7" / "status").write_text("Name:\tpython 3 kB x\nThreads:\t2\nVmHWM:\t  307200 kB\n")
    return proc


def test_fields_are_read_in_mib(tmp_path: Path) -> None:
    assert usage_of(7, pretended(tmp_path)) == Usage(200.0, 100.0, 50.0, 300.0)


def test_a_process_that_is_not_there_or_tells_too_little_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmpganError, match="process 7 cannot be read"):
        usage_of(7, tmp_path)
    with pytest.raises(EmpganError, match="Anonymous") as caught:
        usage_of(7, pretended(tmp_path, ROLLUP.replace("Anonymous", "Anon")))
    assert "Linux 4.14" in caught.value.hint


@linux
def test_what_this_process_takes_is_seen() -> None:
    before = usage_of(os.getpid())
    with mmap.mmap(-1, 64 * 2**20, flags=mmap.MAP_PRIVATE) as held:  # malloc may keep its own
        for _ in range(64 * 16):
            held.write(b"\1" * 2**16)
        after = usage_of(os.getpid())
        assert 60 < after.private_mib - before.private_mib < 70
        assert 60 < after.rss_mib - before.rss_mib < 70
    later = usage_of(os.getpid())
    assert later.private_mib < before.private_mib + 4
    assert later.peak_mib >= after.rss_mib - 1
    assert later.pss_mib <= later.rss_mib


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(DependencyError, match="Linux has and darwin has not") as caught:
        check_system()
    assert caught.value.exit_code == 3


def test_every_figure_of_every_phase_has_a_metric() -> None:
    assert {"loaded_rss_mib", "later_peak_mib", "started_private_mib"} <= {*METRICS}
    assert len(METRICS) == 5 * 4
