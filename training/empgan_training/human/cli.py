"""`empgan-rt human`: parse, call one library function, print."""

from __future__ import annotations

from pathlib import Path

import click

from empgan_rt.cli import console
from empgan_rt.errors import InputError

from .scores import score_sheets
from .sheet import SheetOptions, make_sheets
from .text import scores_text, sheets_text

_PATH = click.Path(path_type=Path)
_OPTIONS = SheetOptions()


@click.group()
def human() -> None:
    """Let people rate replies, and read their ratings."""


@human.command()
@click.option("--data", type=_PATH, required=True, help="The folder that `data prepare` wrote.")
@click.option(
    "--predictions",
    multiple=True,
    required=True,
    metavar="NAME=FILE",
    help="A system and what `evaluate --save-predictions` wrote of it; once for each system.",
)
@click.option("--out", type=_PATH, required=True, help="Folder of the sheets; never publish it.")
@click.option(
    "--contexts",
    type=click.IntRange(1),
    default=_OPTIONS.contexts,
    help="Dialogues drawn; a sheet has a row for each and each system.",
)
@click.option("--raters", type=click.IntRange(1), default=_OPTIONS.raters, help="Sheets written.")
@click.option("--seed", type=int, default=_OPTIONS.seed, help="Of all draws.")
@click.option("--force", is_flag=True, help="Replace OUT if nobody has filled in its sheets.")
@console.json_option
def sheet(
    data: Path,
    predictions: tuple[str, ...],
    out: Path,
    contexts: int,
    raters: int,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Write blinded, shuffled CSV sheets for raters, and the key that is kept from them."""
    options = SheetOptions(contexts, raters, seed)
    drawn = make_sheets(data, _systems(predictions), out, options, force=force)
    console.emit({**drawn, "out": str(out)}, sheets_text(drawn, out), as_json=as_json)


@human.command()
@click.argument("folder", type=_PATH)
@console.json_option
def scores(folder: Path, as_json: bool) -> None:
    """Score the filled sheets in FOLDER: mean, deviation and agreement."""
    result = score_sheets(folder)
    console.emit(result.as_dict(), scores_text(result), as_json=as_json)


def _systems(texts: tuple[str, ...]) -> dict[str, Path]:
    """Return the file of each system in texts such as "HRED=hred.jsonl".

    Raises:
        InputError: one is nothing like that, or a name is there twice.
    """
    systems: dict[str, Path] = {}
    for text in texts:
        name, _, file = text.partition("=")
        if not name or not file:
            raise InputError(f"--predictions {text[:80]!r}", hint="give NAME=FILE")
        if name in systems:
            raise InputError(f"two files for {name!r}", hint="give each system a name of its own")
        systems[name] = Path(file)
    return systems
