"""What a process holds in memory, as the Linux kernel tells it (`proc_pid_smaps(5)`)."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from empgan_rt.errors import DependencyError, EmpganError

PHASES = ("started", "loaded", "first", "batch", "later")
_ROLLUP = {"rss_mib": "Rss", "pss_mib": "Pss", "private_mib": "Anonymous"}
_KIB_OF_MIB = 1024.0


class Usage(msgspec.Struct, frozen=True):
    """One process at one moment, in MiB.

    Attributes:
        rss_mib: pages in memory, of files too; what several processes map counts in each.
        pss_mib: the same, each page divided by the number of processes that map it.
        private_mib: anonymous pages, which are of no file and shared with nobody.
        peak_mib: the most that `rss_mib` was so far.
    """

    rss_mib: float
    pss_mib: float
    private_mib: float
    peak_mib: float


METRICS = tuple(f"{phase}_{name}" for phase in PHASES for name in Usage.__struct_fields__)
"""What an objective may ask: `loaded_rss_mib` and the like."""


def check_system() -> None:
    """Do nothing where the kernel tells what is asked of it.

    Raises:
        DependencyError: this is not Linux.
    """
    if sys.platform != "linux":
        raise DependencyError(
            f"memory is read from /proc, which Linux has and {sys.platform} has not",
            hint="run `bench memory` on Linux, or in a container there",
        )


def usage_of(pid: int, proc: Path = Path("/proc")) -> Usage:
    """Return what a process holds.

    Args:
        pid: its number.
        proc: where the kernel shows its processes.

    Raises:
        EmpganError: there is no such process, it is somebody else's, or the kernel is too old.
    """
    try:
        rollup = _kib((proc / str(pid) / "smaps_rollup").read_text())
        peak = _kib((proc / str(pid) / "status").read_text())["VmHWM"]
        kib = {name: rollup[field] for name, field in _ROLLUP.items()} | {"peak_mib": peak}
    except (OSError, KeyError) as error:
        raise EmpganError(
            f"the memory of process {pid} cannot be read: {error}",
            hint="Linux 4.14 or later tells it of one's own processes",
        ) from None
    return Usage(**{name: value / _KIB_OF_MIB for name, value in kib.items()})


def _kib(text: str) -> dict[str, int]:
    """Return the fields of "Name:   123 kB" lines; others are left out."""
    lines = (line.split() for line in text.splitlines())
    return {words[0][:-1]: int(words[1]) for words in lines if words[2:] == ["kB"]}
