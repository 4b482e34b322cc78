"""`empgan-rt reproduce` and `tables`: parse, call one library function, print."""

from __future__ import annotations

from pathlib import Path

import click

from empgan_rt.cli import console
from empgan_rt.config import MAX_SEED
from empgan_rt.errors import InputError

from ..config import find_recipe, load_recipe

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("data", type=_PATH)
@click.argument("out", type=_PATH)
@click.option(
    "--systems",
    default="all",
    help="Rows of Table 1, separated by commas; one that others start from is trained with them.",
)
@click.option("--seeds", default="1", help="Of training, separated by commas.")
@click.option(
    "--budget",
    type=click.IntRange(1),
    help="Optimiser steps of each stage, at most, and data in proportion: 4 make a trial "
    "run. Critics train one round at least.",
)
@click.option(
    "--licence",
    default="",
    metavar="TEXT",
    help="Of a corpus of your own, as for `data prepare`; the systems inherit it.",
)
@click.option(
    "--recipe", default="default", help="A TOML file or one that ships; it serves every system."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Such as mle.patience=5."
)
@console.json_option
def reproduce(
    data: Path,
    out: Path,
    systems: str,
    seeds: str,
    budget: int | None,
    licence: str,
    recipe: str,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train the paper's systems on DATA, store their replies and write its tables, all in OUT.

    DATA is what `data prepare` reads, or a prepared folder. Whatever is done already is skipped,
    so a run that was stopped at any point goes on with the same command.
    """
    config = load_recipe(find_recipe(recipe), overrides)
    from ..tables.text_pages import bleu_page, text_title
    from .options import ReproduceOptions, system_names
    from .reproduce import reproduce as run  # needs torch

    options = ReproduceOptions(system_names(systems), _seeds(seeds), config, budget, licence)
    with console.told_on_interrupt(
        lambda: f"stopped; what is done stays in {out}, the same command goes on"
    ):
        done = run(data, out, options, on_progress=console.progress)
    table = done.tables.table_1[0]
    text = f"Table 1, {text_title(table)}, N = {done.tables.n:,}:\n\n{bleu_page(table)}\n"
    record = {"tables": str(done.path), "hashes": done.hashes}
    console.emit(record, f"{text}\nall tables: {done.path}", as_json=as_json)


@click.command()
@click.argument("results", type=_PATH)
@click.option("--data", type=_PATH, required=True, help="The folder that `data prepare` wrote.")
@click.option("--out", type=_PATH, help="Write tables.md and tables.json there as well.")
@console.json_option
def tables(results: Path, data: Path, out: Path | None, as_json: bool) -> None:
    """Make every table anew from the replies stored in RESULTS; needs no model."""
    from ..tables.make import make_tables
    from ..tables.markdown import tables_markdown
    from ..tables.written import write_tables

    made = make_tables(results, data)
    if out is not None:
        write_tables(made, out)
    console.emit(made.as_dict(), tables_markdown(made).rstrip(), as_json=as_json)


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) <= len(str(MAX_SEED)) for part in parts):
        raise InputError(
            f"--seeds {text[:40]!r}", hint=f"give whole numbers from 0 to {MAX_SEED}, such as 1,2,3"
        )
    return tuple(dict.fromkeys(int(part) for part in parts))
