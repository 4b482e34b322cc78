"""`empgan-rt recipe` and `train`: parse, call one library function, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from empgan_rt.cli import console
from empgan_rt.errors import InputError
from empgan_rt.storage.folders import is_there

from ..config import SHIPPED_NAMES, find_recipe, load_recipe
from ..scoring.report_text import aligned, train_text

if TYPE_CHECKING:
    from .trainer import Trainer


@click.group()
def recipe() -> None:
    """Show the recipes that ship."""


@recipe.command("list")
@console.json_option
def list_recipes(as_json: bool) -> None:
    """List the recipes that ship, with the system, the data and the folder of each."""
    found = {name: load_recipe(find_recipe(name)) for name in SHIPPED_NAMES}
    rows = [(name, each.system, each.data, each.out) for name, each in found.items()]
    record = {name: {"system": s, "data": data, "out": out} for name, s, data, out in rows}
    text = aligned([("recipe", "system", "data", "out"), *rows])
    console.emit(record, text, as_json=as_json)


@recipe.command()
@click.argument("name")
@console.json_option
def show(name: str, as_json: bool) -> None:
    """Print the recipe NAME as it is written; --json prints every key with its value."""
    config = load_recipe(find_recipe(name))
    text = find_recipe(name).read_text("utf-8").rstrip()
    console.emit(msgspec.to_builtins(config), text, as_json=as_json)


@click.command()
@click.argument("recipe")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Such as mle.patience=5."
)
@click.option("--resume", is_flag=True, help="Go on with the run in the recipe's folder.")
@click.option("--max-steps", type=click.IntRange(1), help="Stop, resumable, after so many steps.")
@console.json_option
def train(
    recipe: str, overrides: tuple[str, ...], resume: bool, max_steps: int | None, as_json: bool
) -> None:
    """Train by RECIPE, a TOML file or one that ships: default, paper, tiny."""
    config = load_recipe(find_recipe(recipe), overrides)
    from .trainer import Trainer  # needs torch, which the other commands can do without

    try:
        with console.told_on_interrupt(
            lambda: f"stopped before the start; {config.out} is as it was"
        ):
            trainer = Trainer(config, resume=resume, on_progress=console.progress)
    except InputError as error:
        if recipe in SHIPPED_NAMES and not is_there(Path(config.data, "report.json")):
            error.hint = f"`empgan-rt recipe show {recipe}` tells first how its data is prepared"
        raise
    with console.told_on_interrupt(lambda: _saved(trainer)):
        scores = trainer.run(max_steps)
    result = {
        "best": str(trainer.best) if trainer.best.is_file() else None,
        "finished": all(stage.state.finished for stage in trainer.stages),
        "scores": {s.name: scores[s.name] for s in trainer.stages if s.name in scores},
        "device": trainer.facts["device"],
        "precision": trainer.facts["precision"],
        "samples_per_second": {
            s.name: s.speed.mean for s in trainer.stages if s.speed.mean is not None
        },
    }
    if trainer.workers.leads:
        console.emit(result, train_text(result), as_json=as_json)


def _saved(trainer: Trainer) -> str:
    """Return what to say to whoever interrupts a run."""
    if not trainer.last.is_file():
        return f"stopped before anything was saved in {trainer.out}"
    steps = sum(stage.state.step for stage in trainer.stages)
    return f"stopped at step {steps}; all is saved in {trainer.last}, --resume goes on"
