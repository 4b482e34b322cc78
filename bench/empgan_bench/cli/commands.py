"""`empgan-rt bench`: a bundle against eager PyTorch, and a report against an older one."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from empgan_rt import threads
from empgan_rt.cli import console
from empgan_rt.config import MAX_BEAM_SIZE
from empgan_rt.errors import InputError

from ..measuring.slo import REQUEST_METRICS, SERVING_METRICS, Objective
from ..memory.usage import METRICS, check_system
from ..reports import output
from . import options, values

if TYPE_CHECKING:
    from ..batches.suite import Kind


@click.group(invoke_without_command=True)
@console.json_option
@click.pass_context
def bench(context: click.Context, as_json: bool) -> None:
    """Measure a bundle against eager PyTorch; bare: latency of the default bundle."""
    if context.invoked_subcommand is None:
        with latency.make_context("latency", [], parent=context) as bare:  # defaults, and --json
            latency.invoke(bare)


@bench.command()
@options.for_cells
@options.peer
@options.against
def latency(**settings: Any) -> None:
    """Time one batch at a time: 20 tokens each, then natural lengths."""
    _run("latency", **settings)


@bench.command()
@options.for_cells
def throughput(**settings: Any) -> None:
    """Count dialogues and tokens per second, natural lengths."""
    _run("throughput", **settings)


@bench.command()
@options.for_serving
def serve(
    *,
    bundle: str,
    backends: str,
    device: str,
    rate: str,
    beam: str,
    goodput: tuple[str, ...],
    workload: Path | None,
    num_threads: int | None,
    out: Path | None,
    slo: tuple[str, ...],
    as_json: bool,
    urls: tuple[str, ...],
    model: str | None,
    streams: bool,
    api_key_file: Path | None,
    **more: Any,  # fields of the plan
) -> None:
    """Answer requests as they arrive, and time each from when it was due.

    They arrive as a Poisson process of each --rate, whether or not earlier ones are done.
    """
    beside = not urls or _is_given("backends")
    engines = values.serving_engines(backends, device) if beside else {}
    if urls and _is_given("beam"):
        raise InputError("--beam with --url", hint="a server searches as it likes: leave it out")
    rates = values.rates(rate)
    beams = (0,) if urls else values.numbers("--beam", beam, MAX_BEAM_SIZE)
    key = None if api_key_file is None else values.key(api_key_file)
    good = tuple(Objective.parse(text, REQUEST_METRICS) for text in goodput)
    objectives = tuple(Objective.parse(text, SERVING_METRICS) for text in slo)
    from ..batches.forecast import about
    from ..measuring.bench import opened  # it needs the extras
    from ..reports import files
    from ..serving import page, plan, report, run
    from ..workers.remote import RemoteServer

    servers = [
        functools.partial(RemoteServer, url, model=model, streams=streams, key=key)
        for url in dict.fromkeys(urls)
    ]
    wanted = plan.ServingPlan(
        rates_per_s=rates, beams=beams, goodput=good, objectives=objectives, **more
    )
    count = _threads(num_threads)
    visits = 2 * (len(engines) + len(servers)) * len(wanted.cells())
    least = about((len(engines) + len(servers)) * wanted.least_s())
    console.notice(f"bench serve: at least {least} for {visits} visits")
    with (
        output.report_folder(out or output.dated("serve")) as folder,
        console.progress("bench serve", visits) as progress,
    ):
        with opened(bundle, engines, workload, count, device=device, servers=servers) as live:
            made = run.run_serving_benchmark(wanted, live, progress.update)
        files.write(made, page.render_markdown(made), page.render_page(made), folder)
    record, failures = report.brief(made, folder), made.outcome.failures
    output.conclude(record, report.headline(made), failures, folder, as_json=as_json)


@bench.command()
@options.for_scaling
def scaling(
    *,
    bundle: str,
    backends: str,
    device: str,
    axis: str,
    batch: int,
    beam: int,
    workload: Path | None,
    num_threads: int | None,
    out: Path | None,
    as_json: bool,
    **more: Any,  # fields of the plan
) -> None:
    """Let batch, beam, turns, vocabulary and threads grow: where cost is not linear, and why."""
    engines, axes = values.speaking_engines(backends, device), values.axes(axis)
    from empgan_rt.bundle.bundle import Bundle

    from ..batches.forecast import about
    from ..reports import files  # it needs the extras
    from ..scaling import page, report, run
    from ..scaling.plan import BASE_TURNS, ScalingPlan, Setting

    words = Bundle.open(bundle).model.vocabulary_size
    base = Setting(batch, beam, BASE_TURNS, words, _threads(num_threads))
    plan = ScalingPlan(axes, base, threads.allowed_cores(), **more)
    points = len(plan.places())
    console.notice(f"bench scaling: at least {about(points * plan.min_time_s)} for {points} points")
    with (
        output.report_folder(out or output.dated("scaling")) as folder,
        console.progress("bench scaling", points) as progress,
    ):
        made = run.run_scaling(plan, bundle, engines, workload, progress.update, device)
        files.write(made, page.render_markdown(made), page.render_page(made), folder)
    record, failures = report.brief(made, folder), made.outcome.failures
    output.conclude(record, report.headline(made), failures, folder, as_json=as_json)


@bench.command()
@options.for_memory
@options.against
def memory(
    *,
    bundle: str,
    backends: str,
    workload: Path | None,
    num_threads: int | None,
    out: Path | None,
    slo: tuple[str, ...],
    as_json: bool,
    against: str | None,
    **more: Any,  # fields of the plan
) -> None:
    """Look at what fresh processes hold in memory: imports, model, first reply, batch, replies."""
    engines = values.speaking_engines(backends, "cpu")
    objectives = tuple(Objective.parse(text, METRICS) for text in slo)
    check_system()
    from ..measuring.other_build import other_build
    from ..memory import page, run  # it needs the extras
    from ..reports import files

    plan = run.MemoryPlan(objectives=objectives, **more)
    count = _threads(num_threads)
    other = None if against is None else other_build(against, bundle, engines)
    processes = plan.runs * (len(engines) + (len(other.openers) if other else 0))
    with (
        output.report_folder(out or output.dated("memory")) as folder,
        console.progress("bench memory", processes) as progress,
    ):
        made = run.run_memory(plan, bundle, engines, workload, count, progress.update, other)
        files.write(made, page.render_markdown(made), page.render_page(made), folder)
    record, failures = page.brief(made, folder), made.outcome.failures
    output.conclude(record, page.headline(made), failures, folder, as_json=as_json)


def _run(
    kind: Kind,
    *,
    bundle: str,
    backends: str,
    device: str,
    batch: str,
    beam: str,
    workload: Path | None,
    num_threads: int | None,
    out: Path | None,
    slo: tuple[str, ...],
    baseline: Path | None,
    max_regress: str,
    as_json: bool,
    peers: tuple[str, ...] = (),
    against: str | None = None,
    **more: Any,  # fields of the plan
) -> None:
    """Run a benchmark, write its report, print its headline.

    Raises:
        GateError: replies differ, an objective is missed, or an engine is slower than in the
            baseline; the report is written all the same.
        EmpganError: whatever went wrong before.
    """
    engines = values.engines(backends, device)
    objectives = tuple(Objective.parse(text) for text in slo)
    batches = values.numbers("--batch", batch, values.MAX_BATCH)
    beams = values.numbers("--beam", beam, MAX_BEAM_SIZE)
    allowed = values.share("--max-regress", max_regress)
    from ..batches import comparison, forecast, page, report, run, suite
    from ..engines.peers.interpreter import interpreters
    from ..measuring.bench import opened
    from ..measuring.other_build import other_build
    from ..reports import files  # need the extras

    beside = interpreters(peers)
    if beside and device != "cpu":
        raise InputError(f"--peer with --device {device}", hint="peers compute on the CPU alone")
    plan = suite.Plan(kind, batches, beams, objectives=objectives, device=device, **more)
    count = num_threads or threads.allowed_cores()
    older = None if baseline is None else comparison.read_report(baseline)
    if older is not None:  # what can be known before anything is measured
        comparison.check_alike("kind", older.plan.kind, kind)
        comparison.check_alike("device", older.plan.device, device)
        comparison.check_alike("threads", older.fingerprint.threads, count)
    threads.check_count(count)
    other = None if against is None else other_build(against, bundle, engines, device)
    with (
        output.report_folder(out or output.dated(kind)) as folder,
        console.progress(f"bench {kind}", len(plan.cells())) as progress,
    ):
        progress.update(0, "opening engines")
        with opened(bundle, engines, workload, count, beside, device, other) as live:
            progress.update(0, "how long will it take?")
            expected = forecast.expect(plan, live)
            console.notice(f"bench {kind}: {expected}")
            remaining = forecast.Remaining(expected, progress.update)
            made = run.run_benchmark(plan, live, remaining.update)
        files.write(made, page.render_markdown(made), page.render_page(made), folder)
    record, failures = report.brief(made, folder), list(made.outcome.failures)
    told = report.headline(made)
    if older is not None:
        found = comparison.compare(older, made, allowed)
        record, told = record | found.record(), f"{told}\n{found}"
        failures += found.regressions
    output.conclude(record, told, failures, folder, as_json=as_json)


def _is_given(name: str) -> bool:
    """Return whether an option of the command was given, or left to its default."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not click.core.ParameterSource.DEFAULT


def _threads(asked: int | None) -> int:
    """Return how many threads each engine gets: all cores allowed, if nobody asked for a number.

    Raises:
        InputError: that is far more than there are cores.
    """
    count = asked or threads.allowed_cores()
    threads.check_count(count)
    return count


@bench.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@options.max_regress
@console.json_option
def compare(old: Path, new: Path, max_regress: str, as_json: bool) -> None:
    """Hold a report.json against an older one; a regression: exit code 6."""
    allowed = values.share("--max-regress", max_regress)
    from ..batches import comparison

    found = comparison.compare(comparison.read_report(old), comparison.read_report(new), allowed)
    hint = "measure again before you believe it"
    output.tell(found.record(), str(found), found.regressions, hint, as_json=as_json)
