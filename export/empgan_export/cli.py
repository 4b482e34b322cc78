"""`empgan-rt export`: a checkpoint to a verified bundle."""

from __future__ import annotations

from pathlib import Path

import click

from empgan_rt.console import emit, json_option

from .package import Exported, ExportOptions, export_bundle
from .variants import PRECISIONS


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--weights",
    type=click.Choice(["fp16", "fp32"]),
    default="fp16",
    show_default=True,
    help="How weights are stored, whatever the graphs compute in.",
)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice([*PRECISIONS]),
    multiple=True,
    default=["fp32", "int8"],
    show_default=True,
    help="A variant of the bundle; repeat it for several. fp32 is always there; fp16 is for GPUs, "
    "on a CPU it is slower than fp32.",
)
@click.option(
    "--contexts",
    type=click.Path(path_type=Path),
    help='JSON lines with {"turns": [...]} for the token check [default: our own dialogues].',
)
@click.option("--num-contexts", type=click.IntRange(1), default=200, show_default=True)
@click.option(
    "--atol",
    type=click.FloatRange(0, min_open=True),
    default=1e-4,
    show_default=True,
    help="Largest deviation of fp32 from eager PyTorch.",
)
@click.option(
    "--model-card",
    type=click.Path(path_type=Path),
    help="A Markdown file that replaces the generated card.",
)
@click.option("--force", is_flag=True, help="Replace a bundle that is there.")
@click.option("--dry-run", is_flag=True, help="Check everything and publish nothing.")
@json_option
def export(
    checkpoint: Path,
    out: Path,
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
    options = ExportOptions(
        weights="fp16" if weights == "fp16" else "fp32",
        precisions=tuple(name for name in PRECISIONS if name in precisions),
        contexts=contexts,
        num_contexts=num_contexts,
        atol=atol,
        model_card=model_card,
        force=force,
        dry_run=dry_run,
    )
    exported = export_bundle(checkpoint, out, options)
    result = {
        "path": str(exported.path),
        "bundle_id": exported.bundle_id,
        "parity": exported.parity,
    }
    emit(result, _table(exported), as_json=as_json)


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
