"""The command line of `scripts/gpu_check`, and errors to exit codes as `empgan-rt` has them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click

from empgan_rt.cli import console
from empgan_rt.errors import EmpganError, GateError, InputError

from ..reports import output
from . import report as files
from .check import check, chosen
from .records import Record, Status
from .runner import Settings
from .sections import SECTIONS

_NAME = "scripts/gpu_check"
_INTERRUPTED = 130


@click.command(epilog=f"Sections: {', '.join(section.name for section in SECTIONS)}.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for report.json and report.md; a dated one by default.",
)
@click.option("--only", default="", help="Sections, separated by commas; all by default.")
@click.option("--dry-run", is_flag=True, help="Rehearse on the CPU, with small numbers.")
@click.option(
    "--limit",
    "limit_s",
    type=click.FloatRange(1, 86_400),
    help="Seconds for the whole run; what no longer fits is skipped.",
)
def gpu_check(out: Path | None, only: str, dry_run: bool, limit_s: float | None) -> None:
    """Run everything that a GPU can prove, and write it down.

    Each section is a process of its own. What is not there is skipped by name; one that fails ends
    the command with exit code 6, a machine without a GPU with 3.
    """
    wanted = chosen(only)
    with output.report_folder(out or output.dated("gpu-check")) as folder:
        settings = Settings(folder, dry_run, limit_s)
        made = check(wanted, settings, [_NAME, *sys.argv[1:]], _tell)
        counts = Counter(record.status for record in made.sections)
        told = ", ".join(f"{counts[status]} {status}" for status in get_args(Status))
        report = folder / files.FILES[1]
        console.write(f"{told}\nreport: {report}\n")
        if failures := made.failures:
            raise GateError(
                f"{len(failures)} sections failed, first {failures[0]}", hint=f"see {report}"
            )


def _tell(record: Record) -> None:
    reason = f": {record.reason}" if record.reason else ""
    line = f"{record.name} {record.status}, {record.seconds:g} s{reason}"
    click.echo(console.printable(line), err=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        status: Any = gpu_check.main(arguments, prog_name=_NAME, standalone_mode=False)
        return status if isinstance(status, int) else 0
    except EmpganError as error:
        console.complain(error)
        return error.exit_code
    except click.Abort:
        return _INTERRUPTED
    except click.ClickException as error:
        error.show()
        return InputError.exit_code
