"""The options of the bench commands, and what their values mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click

from empgan_rt import console, threads
from empgan_rt.errors import InputError

from .engines import ENGINES, IN_FLIGHT

MAX_BATCH = 4096
_MAX_RATE = 10_000.0  # requests per second
Decorator = Callable[[Callable[..., None]], Callable[..., None]]

max_regress = click.option(
    "--max-regress",
    default="5%",
    show_default=True,
    help="How much slower an engine may have become.",
)
_ENGINES = (
    click.argument("bundle", default="default"),
    click.option(
        "--backends",
        default="onnxruntime,eager",
        show_default=True,
        help="Engines to compare, separated by commas.",
    ),
)
_CELLS = (
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
)
_RUN = (
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
)
_AGAINST = (
    click.option(
        "--baseline",
        type=click.Path(path_type=Path),
        help="An older report.json; a regression against it: exit code 6.",
    ),
    max_regress,
)
_LOAD = (
    click.option(
        "--rate", default="4,16,64", show_default=True, help="Requests offered per second."
    ),
    click.option(
        "--requests",
        type=click.IntRange(2, 10_000_000),
        help="Requests to each engine at each rate; by default those of 15 s, at least 60.",
    ),
    click.option("--beam", default="5", show_default=True, help="Beam sizes; 1 is greedy."),
    click.option(
        "--warmup",
        type=click.IntRange(0, 10_000),
        default=10,
        show_default=True,
        help="Requests at the head of each visit; shown, not counted.",
    ),
    click.option(
        "--max-batch",
        type=click.IntRange(1, MAX_BATCH),
        default=32,
        show_default=True,
        help="Most dialogues in decoding at once.",
    ),
    click.option(
        "--max-queue",
        type=click.IntRange(0),
        default=256,
        show_default=True,
        help="Most requests that wait; more are refused.",
    ),
    click.option(
        "--deadline",
        "deadline_s",
        type=click.FloatRange(0, 86_400, min_open=True),
        help="Seconds for each reply, from when its request was due; none by default.",
    ),
    click.option(
        "--goodput",
        multiple=True,
        metavar="METRIC<NUMBER",
        help="What makes an answered request good, e.g. 'e2e_ms<500' or 'ttft_ms<200'.",
    ),
)


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what latency and throughput take."""
    return _with(command, *_ENGINES, *_CELLS, *_RUN, *_AGAINST, console.json_option)


def with_serving_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what serving takes."""
    return _with(command, *_ENGINES, *_LOAD, *_RUN, console.json_option)


def _with(command: Callable[..., None], *options: Decorator) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command


def engines(text: str) -> dict[str, str]:
    """Return the openers of the engines in a comma-separated list.

    Raises:
        InputError: a name is unknown.
    """
    names = [part.strip() for part in text.split(",")]
    unknown = [name for name in names if name not in ENGINES]
    if unknown:
        raise InputError(f"backend {unknown[0][:40]!r}", hint=f"use {', '.join(ENGINES)}")
    return {name: ENGINES[name] for name in names}


def serving_engines(text: str) -> dict[str, str]:
    """Return `engines`, all of which can take requests as they arrive.

    Raises:
        InputError: a name is unknown, or an engine decodes whole batches alone.
    """
    found = engines(text)
    static = [name for name in found if name not in IN_FLIGHT]
    if static:
        raise InputError(
            f"{static[0]} cannot serve: it decodes whole batches, which nobody joins or leaves",
            hint=f"use {', '.join(sorted(IN_FLIGHT))}",
        )
    return found


def rates(text: str) -> tuple[float, ...]:
    """Return the rates in a comma-separated list, each once, in requests per second.

    Raises:
        InputError: one is no number, or not above 0 and at most 10,000.
    """
    parts = [part.strip() for part in text.split(",")]
    matches = [re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", part) for part in parts]
    if not all(match and 0 < float(match[0]) <= _MAX_RATE for match in matches):
        raise InputError(
            f"--rate {text[:60]!r}",
            hint=f"give requests per second, above 0 and at most {_MAX_RATE:g}: 2,4,8",
        )
    return tuple(dict.fromkeys(map(float, parts)))


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
