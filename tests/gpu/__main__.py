"""`python -m gpu`, as `scripts/gpu_check` calls it: everything that a GPU can prove, written down.

Each section is a process of its own. What is not there is skipped by name. Exit code 6: a section
failed; 3: there is no GPU, or a package is missing.
"""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

_BASE = ("numpy", "click", "rich", "tokenizers", "msgspec", "psutil")
_PYTEST = ("pytest", "pytest-timeout", "pytest-reportlog")
_FAILED, _MISSING = 6, 3  # as `empgan_rt.errors` has them
_INTERRUPTED, _TERMINATED = 130, 143  # as shells have them
_NO_GPU = (
    "no GPU can be used (see that `nvidia-smi` lists one and that CUDA_VISIBLE_DEVICES does not "
    "hide it, or rehearse on the CPU: --dry-run)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    lacking = [p for p in (*_BASE, *_PYTEST) if find_spec(p.replace("-", "_")) is None]
    if lacking:
        return _complain(f"{', '.join(lacking)} not installed (pip install {' '.join(lacking)})")
    from empgan_bench.reports.output import report_folder
    from empgan_rt.errors import EmpganError
    from gpu.check import Run
    from gpu.report import FILES, Record
    from gpu.sections import MACHINE, SECTIONS

    def tell(record: Record) -> None:
        told = f"{record.name} {record.status}, {record.seconds:g} s"
        print(f"{told}: {record.reason}" if record.reason else told, file=sys.stderr, flush=True)

    names = [section.name for section in SECTIONS]
    parser = argparse.ArgumentParser("scripts/gpu_check", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder of the report; a dated one by default")
    parser.add_argument("--only", help=f"some of {', '.join(names)}; with commas")
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, with small numbers")
    parser.add_argument("--limit", type=float, help="seconds; what no longer fits is skipped")
    given = parser.parse_args(arguments)
    only = {name.strip() for name in given.only.split(",")} if given.only else {*names}
    if unknown := only.difference(names, {name.partition("-")[0] for name in names}):
        parser.error(f"section {min(unknown)[:40]!r}; use {', '.join(names)}")
    if given.limit is not None and not given.limit >= 1:
        parser.error("--limit takes seconds, 1 or more")
    out = given.out or Path(f"gpu-check-{datetime.datetime.now():%Y%m%d-%H%M%S}")
    command = " ".join(["scripts/gpu_check", *(sys.argv[1:] if arguments is None else arguments)])
    run = Run(out, dry=given.dry_run, limit_s=given.limit, command=command)
    wanted = [s for s in SECTIONS if {s.name, s.name.partition("-")[0]} & {MACHINE, *only}]
    try:
        with report_folder(out):
            found = run.check(wanted, tell)
    except EmpganError as error:  # the disk refused
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _INTERRUPTED
    print(f"report: {out / FILES[1]}")
    if not found:
        return _complain(_NO_GPU)
    if failures := run.report.failures:
        return _complain(f"{len(failures)} sections failed, first {failures[0]}", _FAILED)
    return 0


def _complain(error: str, status: int = _MISSING) -> int:
    print(f"error: {error}", file=sys.stderr)
    return status


def _terminated(number: int, frame: object) -> None:
    """End as if interrupted, so that the section's process is ended too."""
    sys.exit(_TERMINATED)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(main())
