"""`empgan-rt bench`: latency and throughput of a bundle against eager PyTorch."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from empgan_rt import console, threads
from empgan_rt.config import MAX_BEAM_SIZE
from empgan_rt.errors import GateError, InputError, StorageError

from .engines import ENGINES
from .slo import Objective

if TYPE_CHECKING:
    from .suite import Kind

_MAX_BATCH = 4096

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
    console.json_option,
)


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@console.json_option
@click.pass_context
def bench(context: click.Context, as_json: bool) -> None:
    """Measure a bundle against eager PyTorch; bare: latency of the default bundle."""
    if context.invoked_subcommand is None:
        with latency.make_context("latency", [], parent=context) as bare:  # defaults, and --json
            latency.invoke(bare)


@bench.command()
@_with_options
def latency(**options: Any) -> None:
    """Time one batch at a time: 20 tokens each, then natural lengths."""
    _run("latency", **options)


@bench.command()
@_with_options
def throughput(**options: Any) -> None:
    """Count dialogues and tokens per second, natural lengths."""
    _run("throughput", **options)


def _run(
    kind: Kind,
    *,
    bundle: str,
    backends: str,
    batch: str,
    beam: str,
    warmup: int,
    min_time: float,
    seed: int,
    workload: Path | None,
    num_threads: int | None,
    out: Path | None,
    slo: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run a benchmark, write its report, print its headline.

    Raises:
        GateError: replies differ or an objective is missed; the report is written all the same.
        EmpganError: whatever went wrong before.
    """
    engines = _engines(backends)
    objectives = tuple(Objective.parse(text) for text in slo)
    batches = _numbers("--batch", batch, _MAX_BATCH)
    beams = _numbers("--beam", beam, MAX_BEAM_SIZE)
    from . import benchmark, files, report, suite  # they need the extras

    plan = suite.Plan(kind, batches, beams, warmup, min_time, seed, objectives)
    count = num_threads or threads.allowed_cores()
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    with (
        _report_folder(out or Path(f"bench-{kind}-{stamp}")) as folder,
        console.progress(f"bench {kind}", len(plan.cells())) as progress,
    ):
        made = benchmark.run_benchmark(plan, bundle, engines, workload, count, progress.update)
        files.write(made, folder)
    shown = f"{report.headline(made)}\nreport: {folder / 'report.html'}"
    failures = made.outcome.failures
    if not failures:
        console.emit(report.brief(made, folder), shown, as_json=as_json)
        return
    error = GateError(
        f"{len(failures)} gates failed, first {failures[0]}", hint=f"see {folder / 'report.md'}"
    )
    seen = {"code": error.code, "message": error.message, "hint": error.hint}
    record = {**report.brief(made, folder), "error": seen}
    console.emit(record, shown, as_json=as_json)
    if as_json:  # one object only, so the error is in it
        raise click.exceptions.Exit(error.exit_code)
    raise error


def _engines(text: str) -> dict[str, str]:
    """Return the openers of the engines in a comma-separated list.

    Raises:
        InputError: a name is unknown.
    """
    names = [part.strip() for part in text.split(",")]
    unknown = [name for name in names if name not in ENGINES]
    if unknown:
        raise InputError(f"backend {unknown[0][:40]!r}", hint=f"use {', '.join(ENGINES)}")
    return {name: ENGINES[name] for name in names}


def _numbers(option: str, text: str, most: int) -> tuple[int, ...]:
    """Return the whole numbers in a comma-separated list, each once.

    Raises:
        InputError: one is no number, or outside 1 to `most`.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part[:9]) <= most for part in parts):
        raise InputError(f"{option} {text[:60]!r}", hint=f"give numbers from 1 to {most}: 1,8,32")
    return tuple(dict.fromkeys(int(part) for part in parts))


@contextmanager
def _report_folder(folder: Path) -> Iterator[Path]:
    """Yield the report's folder, made before anything is measured; none stays behind empty.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}") from None
    try:
        yield folder
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()
