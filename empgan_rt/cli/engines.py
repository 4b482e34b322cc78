"""`empgan-rt engines`: TensorRT engines of a bundle, built on the machine that will run them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from ..backends.cache import EngineCache, cache_home
from ..backends.tensorrt.engines import Engine, EngineRoom, Request, requests
from ..backends.tensorrt.machine import Machine, version_of
from ..bundle.bundle import Bundle
from ..errors import InputError
from . import console

NOT_EXECUTED = (
    "They wait in the cache for backend='tensorrt'. No GPU has executed any when this version was\n"
    "made: docs/gpu.md tells how to see that they compute what they should."
)


@click.group()
def engines() -> None:
    """Build TensorRT engines; they lie in a private cache, never in a bundle."""


@engines.command()
@click.argument("bundle")
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    help="A variant of the bundle; repeat it for several. [default: all]",
)
@click.option(
    "--beam", "beams", default="1,5", help="Beams of the search; a decoder step is built for each."
)
@click.option(
    "--candidates",
    type=int,
    help="Words that a step offers for each beam at least [default: one more than beams]. Sampling "
    "needs its top-k; a repetition penalty one more for each token.",
)
@click.option("--tf32", is_flag=True, help="Faster float32, with 10 bits of mantissa.")
@console.json_option
def build(
    bundle: str,
    precisions: tuple[str, ...],
    beams: str,
    candidates: int | None,
    tf32: bool,
    as_json: bool,
) -> None:
    """Build the engines of BUNDLE (a folder, "default" or "tiny") for this machine's GPU.

    Those that the cache has, made of the same graphs with the same TensorRT for the same GPU and
    driver, are kept. The cache is ~/.cache/empgan-rt/trt (XDG_CACHE_HOME is respected) and may be
    deleted at any time.
    """
    opened = Bundle.open(bundle)
    wanted = requests(opened, precisions, _numbers(beams), candidates)
    machine = Machine.here()
    room = EngineRoom(opened, machine, EngineCache(cache_home(os.environ)), tf32=tf32)
    record = {
        "bundle_id": opened.bundle_id,
        **engine_records(room, build_all(room, wanted)),
    }
    console.emit(record, engine_table(record), as_json=as_json)


def _numbers(text: str) -> list[int]:
    """Return the numbers in "1,5"."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--beam {text[:40]!r}", hint="give numbers, as in 1,5") from None


def build_all(room: EngineRoom, wanted: Sequence[Request]) -> list[Engine]:
    """Return an engine for each request, with progress on stderr; see `EngineRoom.engine`."""
    engines = []
    with console.progress("engines", len(wanted)) as bar:
        for done, request in enumerate(wanted):

            def tell(phase: str, done: int = done, request: Request = request) -> None:
                bar.update(done, f"{request}: {phase}")

            engines.append(room.engine(request, tell))
        bar.update(len(wanted))
    return engines


def engine_records(room: EngineRoom, engines: Sequence[Engine]) -> dict[str, Any]:
    """Return the engines and what they were built for, as plain JSON values."""
    return {
        "tensorrt": version_of(room.machine.trt),
        "gpu": asdict(room.machine.gpu),
        "folder": str(room.cache.folder),
        "tf32": room.tf32,
        "engines": [
            {
                **asdict(engine.request),
                "profiles": [
                    {axis: [*sizes] for axis, sizes in p.items()} for p in engine.profiles
                ],
                "bytes": len(engine.plan),
                "cached": engine.cached,
                "seconds": engine.seconds,
            }
            for engine in engines
        ],
    }


def engine_table(record: dict[str, Any]) -> str:
    """Return what `engine_records` tells, for people."""
    gpu = record["gpu"]
    lines = [
        f"tensorrt     {record['tensorrt']}",
        f"gpu          {gpu['name']}, {gpu['compute_capability']}, driver {gpu['driver']}",
        f"folder       {record['folder']}",
        f"{'engine':<16} {'precision':<9} {'beam':>4} {'candidates':>10} {'MiB':>6}  made in",
    ]
    for row in record["engines"]:
        beam, candidates = (row[name] or "" for name in ("beam", "candidates"))
        made = "found" if row["cached"] else f"{row['seconds']:.1f} s"
        what = f"{row['graph']:<16} {row['precision']:<9} {beam:>4} {candidates:>10}"
        lines.append(f"{what} {row['bytes'] / 2**20:>6.1f}  {made}")
    return "\n".join([*lines, NOT_EXECUTED])
