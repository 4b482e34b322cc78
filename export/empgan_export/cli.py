"""`empgan-rt export`: a checkpoint to a verified bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from empgan_rt.backends.cache import EngineCache, cache_home
from empgan_rt.backends.tensorrt.engines import EngineRoom, requests
from empgan_rt.backends.tensorrt.machine import Machine
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.cli import console
from empgan_rt.cli.engines import build_all, engine_records, engine_table
from empgan_rt.errors import EmpganError

from .options import PRECISION_NAMES, ExportOptions

if TYPE_CHECKING:
    from .package import Exported


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--target",
    type=click.Choice(["onnx", "tensorrt"]),
    default="onnx",
    help="tensorrt also builds engines for this machine, as `empgan-rt engines build OUT` does.",
)
@click.option(
    "--weights",
    type=click.Choice(["fp16", "fp32"]),
    default="fp16",
    help="How weights are stored, whatever the graphs compute in.",
)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(PRECISION_NAMES),
    multiple=True,
    default=["fp32", "int8"],
    help="A variant of the bundle; repeat it for several. fp32 is always there; fp16 is for GPUs, "
    "on a CPU it is slower than fp32.",
)
@click.option(
    "--contexts",
    type=click.Path(path_type=Path),
    help='JSON lines with {"turns": [...]} for the token check [default: our own dialogues].',
)
@click.option("--num-contexts", type=click.IntRange(1), default=200)
@click.option(
    "--atol",
    type=click.FloatRange(0, min_open=True),
    default=1e-4,
    help="Largest deviation of fp32 from eager PyTorch.",
)
@click.option(
    "--model-card",
    type=click.Path(path_type=Path),
    help="A Markdown file that replaces the generated card.",
)
@click.option("--force", is_flag=True, help="Replace a bundle that is there.")
@click.option("--dry-run", is_flag=True, help="Check everything and publish nothing.")
@console.json_option
def export(
    checkpoint: Path,
    out: Path,
    target: str,
    weights: str,
    precisions: tuple[str, ...],
    contexts: Path | None,
    num_contexts: int,
    atol: float,
    model_card: Path | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Export CHECKPOINT to the bundle OUT, once it equals eager PyTorch."""
    from .package import export_bundle  # needs the extra

    machine = _machine() if target == "tensorrt" else None
    options = ExportOptions(
        weights="fp16" if weights == "fp16" else "fp32",
        precisions=tuple(name for name in PRECISION_NAMES if name in precisions),
        contexts=contexts,
        num_contexts=num_contexts,
        atol=atol,
        model_card=model_card,
        force=force,
        dry_run=dry_run,
    )
    exported = export_bundle(checkpoint, out, options, on_progress=console.progress)
    result: dict[str, Any] = {
        "path": str(exported.path),
        "bundle_id": exported.bundle_id,
        "parity": exported.parity,
    }
    text = _table(exported)
    if machine is not None and not dry_run:
        result["tensorrt"] = _build_engines(exported.path, machine)
        text += "\n\n" + engine_table(result["tensorrt"])
    console.emit(result, text, as_json=as_json)


def _machine() -> Machine:
    """Return this machine; an export should not end with the news that there is no GPU."""
    try:
        return Machine.here()
    except EmpganError as error:
        error.hint += "\nnothing was published; leave --target out to export the bundle alone"
        raise


def _build_engines(path: Path, machine: Machine) -> dict[str, Any]:
    """Return the record of a published bundle's engines; the bundle stays if they fail."""
    bundle = Bundle.open(path)
    try:
        room = EngineRoom(bundle, machine, EngineCache(cache_home(os.environ)))
        return engine_records(room, build_all(room, requests(bundle)))
    except EmpganError as error:
        error.hint = f"{error.hint}\nthe bundle is published; `empgan-rt engines build {path}`"
        raise


def _table(exported: Exported) -> str:
    rows = [f"{exported.path}  bundle {exported.bundle_id}"]
    for precision, record in exported.parity.items():
        rows += ["", f"{precision} beside PyTorch"]
        for title, key in (("values", "max_abs"), ("30 steps", "max_abs_30_steps")):
            gaps = ", ".join(f"{name} {gap:.1e}" for name, gap in record[key].items())
            rows.append(f"  {title:10} {gaps}  (at most {record['atol']:.0e})")
        for title, key in (("greedy", "greedy"), ("beam 5", "beam_5")):
            tokens = record[key]
            rows.append(
                f"  {title:10} {tokens['equal']} of {tokens['contexts']} replies are fp32's, "
                f"{tokens['ties']} more by a tie"
            )
    return "\n".join(rows)
