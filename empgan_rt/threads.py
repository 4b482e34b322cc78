"""How many threads inference uses: one setting for the process, as in PyTorch.

The encoder and the decoder step share ONNX Runtime's global thread pool, because the spinning
threads of two pools would fight for the cores. ONNX Runtime sizes that pool once per process.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from .errors import InputError

MAX_THREADS = 1024

_lock = threading.Lock()
_wanted: int | None = None
_in_use: int | None = None


def set_num_threads(count: int) -> None:
    """Set how many threads compute, before the first model is loaded.

    With more than one, ONNX Runtime's global pool is used, and from then on ONNX Runtime refuses
    sessions of the host program that do not set `use_per_session_threads = False`. With one there
    is no pool and such sessions are left alone.

    Raises:
        InputError: `count` is not a whole number from 1 to 1024, or a model was loaded with
            another number.
    """
    global _wanted  # noqa: PLW0603 - the setting belongs to the process
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_THREADS:
        raise InputError(f"{count!r} threads", hint=f"give a whole number from 1 to {MAX_THREADS}")
    with _lock:
        if _in_use not in (None, count):
            raise InputError(
                f"{count} threads, but {_in_use} are in use since the first model was loaded",
                hint="call set_num_threads before loading, or start a new process",
            )
        _wanted = count


def num_threads() -> int:
    """Return how many threads compute: what was set, else the cores this process may use."""
    return _in_use or _wanted or allowed_cores()


def fix_num_threads() -> int:
    """Return the number of threads and let it never change again; for backends."""
    global _in_use  # noqa: PLW0603 - the pool belongs to the process
    with _lock:
        _in_use = num_threads()
        return _in_use


def allowed_cores() -> int:
    """Return the cores this process may use, by affinity and by the container's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = cgroup_quota(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))
    # Rounded down: a thread beyond the quota would stall all the others when it is throttled.
    return max(1, min(cores, int(quota))) if quota is not None else cores


def cgroup_quota(root: Path, membership: Path) -> float | None:
    """Return the CPU quota in cores, the tightest of this group and its parents; None if free.

    Args:
        root: where the cgroup file system is mounted.
        membership: the file that names this process's groups.
    """
    quotas = []
    for group in _groups(root, membership):
        try:
            if (group / "cpu.max").exists():  # version 2: "max 100000" or "150000 100000"
                quota, period = (group / "cpu.max").read_text().split()
            else:  # version 1: -1 is no limit
                quota = (group / "cpu.cfs_quota_us").read_text()
                period = (group / "cpu.cfs_period_us").read_text()
            if quota != "max" and int(quota) > 0:
                quotas.append(int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue  # the root group has no such file
    return min(quotas, default=None)


def _groups(root: Path, membership: Path) -> list[Path]:
    """Return the folders of this process's CPU groups, each with its parents."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    groups = [root, root / "cpu"]  # inside a container the own group is mounted as the root
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            own = (root if controllers == "" else root / "cpu") / path.lstrip("/")
            groups += [own, *(p for p in own.parents if root in p.parents)]
    return groups
