"""The options of the bench commands, and what their values mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click

from empgan_rt import console, threads
from empgan_rt.errors import InputError

from .engines import ENGINES, YARDSTICKS

MAX_BATCH = 4096

max_regress = click.option(
    "--max-regress",
    default="5%",
    show_default=True,
    help="How much slower an engine may have become.",
)
peer = click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="NAME=PYTHON",
    help="Another project's decoder, and the interpreter that has it; see docs/peers.md.",
)
_OPTIONS = (
    click.argument("bundle", default="default"),
    click.option(
        "--backends",
        default="onnxruntime,eager",
        show_default=True,
        help="Engines to compare, separated by commas.",
    ),
    click.option("--batch", default="1,8,32,128", show_default=True, help="Dialogues in a batch."),
    click.option("--beam", default="1,5", show_default=True, help="Beam sizes; 1 is greedy."),
    click.option(
        "--warmup",
        type=click.IntRange(0, 1000),
        default=2,
        show_default=True,
        help="Rounds before measuring; shown, not counted.",
    ),
    click.option(
        "--min-time",
        type=click.FloatRange(0, 86_400),
        default=5.0,
        show_default=True,
        help="Seconds to measure in each cell.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Order of the dialogues, and resampling.",
    ),
    click.option(
        "--workload",
        type=click.Path(path_type=Path),
        help='JSONL of {"turns": [...]} or {"dialogue": [...]}; by default our own dialogues.',
    ),
    click.option(
        "--threads",
        "num_threads",
        type=click.IntRange(1, threads.MAX_THREADS),
        help="Threads of every engine; by default all cores allowed.",
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        help="Folder for report.json, report.md and report.html; a dated one by default.",
    ),
    click.option(
        "--slo",
        multiple=True,
        metavar="METRIC<NUMBER",
        help="Objective for every cell, e.g. 'p99_ms<50'; missed: exit code 6.",
    ),
    click.option(
        "--baseline",
        type=click.Path(path_type=Path),
        help="An older report.json; a regression against it: exit code 6.",
    ),
    max_regress,
    console.json_option,
)


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what all benchmarks take."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def engines(text: str) -> dict[str, str]:
    """Return the openers of the engines in a comma-separated list.

    Raises:
        InputError: a name is unknown, or no engine is among them that writes replies.
    """
    names = [part.strip() for part in text.split(",")]
    unknown = [name for name in names if name not in ENGINES]
    if unknown:
        raise InputError(f"backend {unknown[0][:40]!r}", hint=f"use {', '.join(ENGINES)}")
    if YARDSTICKS.issuperset(names):
        raise InputError(
            f"--backends {text[:60]}: products alone, and nothing to hold against them",
            hint="name an engine beside them: --backends onnxruntime,floor,eager",
        )
    return {name: ENGINES[name] for name in names}


def numbers(option: str, text: str, most: int) -> tuple[int, ...]:
    """Return the whole numbers in a comma-separated list, each once.

    Raises:
        InputError: one is no number, or outside 1 to `most`.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part[:9]) <= most for part in parts):
        raise InputError(f"{option} {text[:60]!r}", hint=f"give numbers from 1 to {most}: 1,8,32")
    return tuple(dict.fromkeys(int(part) for part in parts))


def share(option: str, text: str) -> float:
    """Return the number that a percentage such as "5%" means.

    Raises:
        InputError: it is written otherwise.
    """
    match = re.fullmatch(r"(\d{1,4}(?:\.\d{1,4})?)\s*%", text.strip())
    if match is None:
        raise InputError(f"{option} {text[:60]!r}", hint="give a percentage: 5%")
    return float(match[1]) / 100
