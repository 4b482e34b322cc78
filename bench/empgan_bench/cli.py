"""`empgan-rt bench`: a bundle against eager PyTorch, and a report against an older one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from empgan_rt import console, threads
from empgan_rt.config import MAX_BEAM_SIZE
from empgan_rt.errors import GateError, StorageError

from . import options
from .slo import Objective

if TYPE_CHECKING:
    from .suite import Kind


@click.group(invoke_without_command=True)
@console.json_option
@click.pass_context
def bench(context: click.Context, as_json: bool) -> None:
    """Measure a bundle against eager PyTorch; bare: latency of the default bundle."""
    if context.invoked_subcommand is None:
        with latency.make_context("latency", [], parent=context) as bare:  # defaults, and --json
            latency.invoke(bare)


@bench.command()
@options.with_options
@options.peer
def latency(**settings: Any) -> None:
    """Time one batch at a time: 20 tokens each, then natural lengths."""
    _run("latency", **settings)


@bench.command()
@options.with_options
def throughput(**settings: Any) -> None:
    """Count dialogues and tokens per second, natural lengths."""
    _run("throughput", **settings)


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
    baseline: Path | None,
    max_regress: str,
    as_json: bool,
    peers: tuple[str, ...] = (),
) -> None:
    """Run a benchmark, write its report, print its headline.

    Raises:
        GateError: replies differ, an objective is missed, or an engine is slower than in the
            baseline; the report is written all the same.
        EmpganError: whatever went wrong before.
    """
    engines = options.engines(backends)
    objectives = tuple(Objective.parse(text) for text in slo)
    batches = options.numbers("--batch", batch, options.MAX_BATCH)
    beams = options.numbers("--beam", beam, MAX_BEAM_SIZE)
    allowed = options.share("--max-regress", max_regress)
    from . import benchmark, comparison, files, report, suite  # they need the extras
    from .peers.interpreter import interpreters

    beside = interpreters(peers)
    older = None if baseline is None else comparison.read_report(baseline)
    plan = suite.Plan(kind, batches, beams, warmup, min_time, seed, objectives)
    count = num_threads or threads.allowed_cores()
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    with (
        _report_folder(out or Path(f"bench-{kind}-{stamp}")) as folder,
        console.progress(f"bench {kind}", len(plan.cells())) as progress,
    ):
        made = benchmark.run_benchmark(
            plan, bundle, engines, workload, count, progress.update, beside
        )
        files.write(made, folder)
    shown = f"{report.headline(made)}\nreport: {folder / 'report.html'}"
    record, failures = report.brief(made, folder), list(made.outcome.failures)
    if older is not None:
        found = comparison.compare(older, made, allowed)
        record, shown = record | found.record(), f"{shown}\n{found}"
        failures += found.regressions
    _tell(record, shown, failures, f"see {folder / 'report.md'}", as_json=as_json)


@bench.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@options.max_regress
@console.json_option
def compare(old: Path, new: Path, max_regress: str, as_json: bool) -> None:
    """Hold a report.json against an older one; a regression: exit code 6."""
    allowed = options.share("--max-regress", max_regress)
    from . import comparison

    found = comparison.compare(comparison.read_report(old), comparison.read_report(new), allowed)
    hint = "measure again before you believe it"
    _tell(found.record(), str(found), found.regressions, hint, as_json=as_json)


def _tell(
    record: dict[str, Any], shown: str, failures: Sequence[str], hint: str, *, as_json: bool
) -> None:
    """Print a result, and fail if anything did.

    Raises:
        GateError: something failed.
    """
    record["passed"] = not failures
    if not failures:
        console.emit(record, shown, as_json=as_json)
        return
    error = GateError(f"{len(failures)} gates failed, first {failures[0]}", hint=hint)
    record["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
    console.emit(record, shown, as_json=as_json)
    if as_json:  # one object only, so the error is in it
        raise click.exceptions.Exit(error.exit_code)
    raise error


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
