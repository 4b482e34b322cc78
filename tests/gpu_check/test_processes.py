"""A section's process, and those that it leaves behind."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from gpu import processes
from gpu.processes import ended, last_lines

HANGS = """
import json, os, subprocess, sys, time
from pathlib import Path
command = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(command)
worker = subprocess.Popen(command, start_new_session=True)
told = Path(sys.argv[1], "telling")
told.write_text(json.dumps([os.getpid(), child.pid, worker.pid]))
told.rename(told.with_name("told"))
time.sleep(600)
"""


class Impatient(subprocess.Popen[bytes]):
    """A process that is waited for until it has told something, and then no longer."""

    raises: BaseException = subprocess.TimeoutExpired("section", 1)
    told: Path

    def wait(self, timeout: float | None = None) -> int:
        if timeout is None:
            return super().wait()
        while not self.told.is_file():
            assert self.poll() is None
            time.sleep(0.02)
        raise self.raises


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody waits for may stay as a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.slow
@pytest.mark.parametrize(
    "raises", [subprocess.TimeoutExpired("section", 1), KeyboardInterrupt(), SystemExit(143)]
)
def test_no_process_is_left(
    raises: BaseException, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes.subprocess, "Popen", Impatient)
    monkeypatch.setattr(Impatient, "raises", raises)
    monkeypatch.setattr(Impatient, "told", tmp_path / "told", raising=False)
    if isinstance(raises, subprocess.TimeoutExpired):
        assert ended(["-c", HANGS, str(tmp_path)], tmp_path, 7.0) is None
    else:
        with pytest.raises(type(raises)):
            ended(["-c", HANGS, str(tmp_path)], tmp_path, 7.0)
    for pid in json.loads((tmp_path / "told").read_text()):
        while not gone(pid):
            time.sleep(0.02)


def test_what_a_process_says_last(tmp_path: Path) -> None:
    says = "import sys; print('out'); print('err', file=sys.stderr); print('x' * 999); sys.exit(4)"
    assert ended(["-c", says], tmp_path, 300.0) == 4
    assert last_lines(tmp_path) == ["out", "x" * 300, "err"]
