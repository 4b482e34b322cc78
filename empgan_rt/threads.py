"""The threads and the process of a model: how many the one, and that it is still the other.

The number of threads is one setting for the process, as in PyTorch.
Every session of ONNX Runtime has so many, the caller's among them. Where the system refuses to
start one, ONNX Runtime hangs or aborts the process; so it is tried beforehand, and far more threads
than cores, which only take time from each other, are refused.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from .errors import InputError, ProviderError

PER_CORE = 8

_lock = threading.Lock()
_wanted: int | None = None
_in_use: int | None = None


def set_num_threads(count: int) -> None:
    """Set how many threads compute, before the first model is loaded.

    Raises:
        InputError: see `check_count`, or a model was loaded with another number.
    """
    global _wanted  # noqa: PLW0603 - the setting belongs to the process
    check_count(count)
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


def check_count(count: int) -> None:
    """Do nothing if `count` threads may be asked for.

    Raises:
        InputError: it is no whole number from 1 to 8 for each core that this process may use.
    """
    most = PER_CORE * allowed_cores()
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= most:
        is_long = (
            isinstance(count, int) and count.bit_length() > 64
        )  # Python may refuse to print it
        raise InputError(
            f"{'far too many' if is_long else repr(count)} threads",
            hint=f"give a whole number from 1 to {most}, {PER_CORE} for each allowed core",
        )


def claim_threads() -> int:
    """Return the number of threads for a session and let it never change again; for backends.

    Raises:
        InputError: the system does not start so many now.
    """
    global _in_use  # noqa: PLW0603 - the setting belongs to the process
    with _lock:
        count = num_threads()
        _try_to_start(count - 1)
        _in_use = count
        return count


def _try_to_start(count: int) -> None:
    """Do nothing if `count` more threads can run at once; those that were started have ended.

    Raises:
        InputError: they cannot.
    """
    enough = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(count):
            thread = threading.Thread(target=enough.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:  # "can't start new thread"
        raise InputError(
            f"the system starts {len(started)} more threads for this process, not {count}",
            hint="raise its limit (`ulimit -u`, or the container's), or set_num_threads(1)",
        ) from None
    finally:
        enough.set()
        for thread in started:
            thread.join()


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


class ProcessGuard:
    """Remembers the process that made it: neither threads nor devices outlive a fork.

    Args:
        made: what happened when it was made.
    """

    def __init__(self, made: str = "the model was loaded") -> None:
        self._process, self._made = os.getpid(), made

    @property
    def is_here(self) -> bool:
        """Whether this process is the one that made it."""
        return os.getpid() == self._process

    def check(self) -> None:
        """Return if this process made it.

        Raises:
            ProviderError: this process was forked since.
        """
        if not self.is_here:
            raise ProviderError(
                f"{self._made} before this process was forked",
                hint="do that in the child, or start the child with the spawn method",
            )
