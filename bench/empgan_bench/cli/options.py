"""The options of the bench commands, in groups that commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from empgan_rt.cli import console
from empgan_rt.config import MAX_BEAM_SIZE, MAX_SEED

from ..engines.table import ENGINES
from ..scaling.plan import AXES
from .values import MAX_BATCH

Decorator = Callable[[Callable[..., None]], Callable[..., None]]

_ENGINES = (
    click.argument("bundle", default="default"),
    click.option(
        "--backends",
        default="onnxruntime,eager",
        show_default=True,
        help="Engines to compare, separated by commas.",
    ),
    click.option(
        "--device",
        type=click.Choice([*ENGINES]),
        default="cpu",
        show_default=True,
        help="Where they compute; each has engines of its own.",
    ),
)
_CELLS = (
    click.option("--batch", default="1,8,32,128", show_default=True, help="Dialogues in a batch."),
    click.option("--beam", default="1,5", show_default=True, help="Beam sizes; 1 is greedy."),
)
_TIMING = (
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
        help="Seconds to measure in each cell or point.",
    ),
)
_RUN = (
    click.option(
        "--seed",
        type=click.IntRange(0, MAX_SEED),
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
        type=click.IntRange(1),
        help="Threads of every engine; by default all cores allowed.",
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        help="Folder for report.json, report.md and report.html; a dated one by default.",
    ),
    console.json_option,
)
_OBJECTIVES = (
    click.option(
        "--slo",
        multiple=True,
        metavar="METRIC<NUMBER",
        help="Objective for every cell, e.g. 'p99_ms<50'; missed: exit code 6.",
    ),
)
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
_BASE_POINT = (
    click.option(
        "--axis",
        default=",".join(AXES),
        show_default=True,
        help="What grows, one after the other, separated by commas.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(1, MAX_BATCH),
        default=8,
        show_default=True,
        help="Dialogues in a batch, on the other axes.",
    ),
    click.option(
        "--beam",
        type=click.IntRange(1, MAX_BEAM_SIZE),
        default=5,
        show_default=True,
        help="Beam size, on the other axes.",
    ),
)


def for_cells(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what latency and throughput take."""
    return _with(command, *_ENGINES, *_CELLS, *_TIMING, *_RUN, *_OBJECTIVES, *_AGAINST)


def for_serving(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what serving takes."""
    return _with(command, *_ENGINES, *_LOAD, *_RUN, *_OBJECTIVES)


def for_scaling(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what growing along axes takes."""
    return _with(command, *_ENGINES, *_BASE_POINT, *_TIMING, *_RUN)


def _with(command: Callable[..., None], *options: Decorator) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command
