"""`empgan-rt engines`: TensorRT engines of a bundle, built on the machine that will run them."""

from __future__ import annotations

import os

import click

from .. import console
from ..bundle import Bundle
from ..errors import InputError
from ..tensorrt.cache import EngineCache, cache_home
from ..tensorrt.engines import EngineRoom, build_all, requests
from ..tensorrt.machine import Machine
from ..tensorrt.summary import engine_records, engine_table


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
    "--beam",
    "beams",
    default="1,5",
    show_default=True,
    help="Beams of the search; a decoder step is built for each.",
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
