"""The options of the bench commands, in groups that commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from empgan_rt.cli import console
from empgan_rt.config import MAX_BEAM_SIZE, MAX_SEED

from ..engines.table import ENGINES
from ..scaling.plan import AXES
from .values import MAX_BATCH

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def _option(names: str, told: str, default: object = None, **more: Any) -> Decorator:
    """Return an option whose help says `told` and shows the default, if there is one.

    Args:
        names: the flag, and behind a space the argument's name where it is another one.
        told: what it is for.
        default: its value where it is not given.
        more: see `click.option`.
    """
    if default is not None:
        more |= {"default": default, "show_default": True}
    return click.option(*names.split(), help=told, **more)


def _quick(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Give the options of a command that are not given the values of a first look."""
    if value:
        context.default_map = {"batch": "1,8", "warmup": 1, "min_time_s": 0.5}


_BUNDLE = (
    click.argument("bundle", default="default"),
    _option("--backends", "Engines to compare, separated by commas.", "onnxruntime,eager"),
)
_ENGINES = (
    *_BUNDLE,
    _option(
        "--device",
        "Where they compute; each has engines of its own.",
        "cpu",
        type=click.Choice([*ENGINES]),
    ),
)
_CELLS = (
    _option("--batch", "Dialogues in a batch.", "1,8,32,128"),
    _option("--beam", "Beam sizes; 1 is greedy.", "1,5"),
)
_TIMING = (
    _option(
        "--warmup", "Rounds before measuring; shown, not counted.", 2, type=click.IntRange(0, 1000)
    ),
    _option(
        "--min-time min_time_s",
        "Seconds to measure in each cell or point.",
        5.0,
        type=click.FloatRange(0, 86_400),
    ),
)
_RUN = (
    _option(
        "--seed", "Order of the dialogues, and resampling.", 0, type=click.IntRange(0, MAX_SEED)
    ),
    _option(
        "--workload",
        'JSONL of {"turns": [...]} or {"dialogue": [...]}; by default our own dialogues.',
        type=click.Path(path_type=Path),
    ),
    _option(
        "--threads num_threads",
        "Threads of every engine; by default all cores allowed.",
        type=click.IntRange(1),
    ),
    _option(
        "--out",
        "Folder for report.json, report.md and report.html; a dated one by default.",
        type=click.Path(path_type=Path),
    ),
    console.json_option,
)
_OBJECTIVES = (
    _option(
        "--slo",
        "Objective for every cell or engine, e.g. 'p99_ms<50'; missed: exit code 6.",
        multiple=True,
        metavar="METRIC<NUMBER",
    ),
)
max_regress = _option("--max-regress", "How much slower an engine may have become.", "5%")
peer = _option(
    "--peer peers",
    "Another project's decoder, and the interpreter that has it; see docs/peers.md.",
    multiple=True,
    metavar="NAME=PYTHON",
)
against = _option(
    "--against",
    "The interpreter that has another build of ours, to be measured in the same run.",
    metavar="PYTHON",
)
_QUICK = (
    _option(
        "--quick",
        "A first look: batches of 1 and 8, one round to warm up, half a second a cell, unless "
        "told otherwise.",
        is_flag=True,
        is_eager=True,  # before the options whose defaults it is
        callback=_quick,
        expose_value=False,
    ),
)
_AGAINST = (
    _option(
        "--baseline",
        "An older report.json; a regression against it: exit code 6.",
        type=click.Path(path_type=Path),
    ),
    max_regress,
)
_REMOTE = (
    _option(
        "--url urls",
        "A server of OpenAI's dialect, asked over HTTP; in place of --backends, or beside them.",
        multiple=True,
        metavar="URL",
    ),
    _option("--model", "Which of the server's models; by default the first it lists."),
    _option("--stream/--plain streams", "Replies as server-sent events, or whole.", True),
    _option("--api-key-file", "A file with the server's API key.", type=click.Path(path_type=Path)),
)
_LOAD = (
    _option("--rate", "Requests offered per second.", "4,16,64"),
    _option(
        "--requests",
        "Requests to each engine at each rate; by default those of 15 s, at least 60.",
        type=click.IntRange(2, 10_000_000),
    ),
    _option("--beam", "Beam sizes; 1 is greedy.", "5"),
    _option(
        "--length",
        "Replies as long as they come, or of 20 tokens each, for models whose ends mean nothing.",
        "natural",
        type=click.Choice(["natural", "fixed"]),
    ),
    _option(
        "--warmup",
        "Requests at the head of each visit; shown, not counted.",
        10,
        type=click.IntRange(0, 10_000),
    ),
    _option(
        "--max-batch", "Most dialogues in decoding at once.", 32, type=click.IntRange(1, MAX_BATCH)
    ),
    _option(
        "--max-queue", "Most requests that wait; more are refused.", 256, type=click.IntRange(0)
    ),
    _option(
        "--deadline deadline_s",
        "Seconds for each reply, from when its request was due; none by default.",
        type=click.FloatRange(0, 86_400, min_open=True),
    ),
    _option(
        "--goodput",
        "What makes an answered request good, e.g. 'e2e_ms<500' or 'ttft_ms<200'.",
        multiple=True,
        metavar="METRIC<NUMBER",
    ),
)
_PHASES = (
    _option("--batch", "Dialogues of the large batch.", 32, type=click.IntRange(1, MAX_BATCH)),
    _option("--beam", "Beam size; 1 is greedy.", 5, type=click.IntRange(1, MAX_BEAM_SIZE)),
    _option(
        "--replies",
        "Replies to single dialogues after that batch.",
        200,
        type=click.IntRange(1, 1_000_000),
    ),
    _option("--runs", "Fresh processes of each engine.", 3, type=click.IntRange(1, 100)),
)
_BASE_POINT = (
    _option("--axis", "What grows, one after the other, separated by commas.", ",".join(AXES)),
    _option(
        "--batch", "Dialogues in a batch, on the other axes.", 8, type=click.IntRange(1, MAX_BATCH)
    ),
    _option("--beam", "Beam size, on the other axes.", 5, type=click.IntRange(1, MAX_BEAM_SIZE)),
)


def _with(*options: Decorator) -> Decorator:
    """Return what gives a command these options, in this order."""

    def given(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return given


for_cells = _with(*_ENGINES, *_CELLS, *_TIMING, *_QUICK, *_RUN, *_OBJECTIVES, *_AGAINST)
for_serving = _with(*_ENGINES, *_REMOTE, *_LOAD, *_RUN, *_OBJECTIVES)
for_memory = _with(*_BUNDLE, *_PHASES, *_RUN, *_OBJECTIVES)
for_scaling = _with(*_ENGINES, *_BASE_POINT, *_TIMING, *_RUN)
