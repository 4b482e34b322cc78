"""`scripts/voice`: parse, call library functions, print."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from empgan_rt.cli import console
from empgan_rt.cli.main import run
from empgan_rt.cli.options import overlay
from empgan_rt.guard.word_guard import WordGuard
from empgan_rt.inference.responder import Responder

from .candidates import answer, parse_candidates
from .contexts import read_contexts
from .sheet import SHEET_NAME, make_sheet
from .text import scores_text
from .unblind import unblind as unblind_sheet

_PATH = click.Path(path_type=Path)


@click.group()
def voice() -> None:
    """Read what models say blind, and then learn who said it."""


@voice.command()
@click.option(
    "--contexts", type=_PATH, required=True, help="JSON lines; tests/data/voice has some."
)
@click.option(
    "--candidate",
    "candidates",
    multiple=True,
    required=True,
    metavar="NAME=BUNDLE[:SETTINGS]",
    help="A bundle, its search and its guard, such as greedy=default:beam_size=1,guard=true; "
    "once for each.",
)
@click.option("--out", type=_PATH, required=True, help="Folder for the reader.")
@click.option("--key", type=_PATH, required=True, help="File that the reader must not see.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of all shuffles.")
def sheet(contexts: Path, candidates: tuple[str, ...], out: Path, key: Path, seed: int) -> None:
    """Answer contexts with every candidate, and write a blind sheet and its key."""
    asked = read_contexts(contexts)
    answers = {}
    for candidate in parse_candidates(candidates):
        guard = WordGuard() if candidate.guard else None
        with Responder.load(candidate.bundle, guard=guard) as responder:
            search = overlay(responder.search, candidate.settings)
            answers[candidate.name] = answer(responder, search, asked, guard=candidate.guard)
    draw = make_sheet(asked, answers, out, key, seed)
    console.write(
        f"{len(draw.contexts)} contexts, {len(draw.rows)} different replies of {len(answers)} "
        f"candidates\nsheet: {out / SHEET_NAME}\nkey: {key}\n"
    )


@voice.command()
@click.argument("sheet", type=_PATH)
@click.argument("key", type=_PATH)
@click.option("--rater", required=True, help='Who read: "one reader, blind; a language model".')
@click.option("--out", type=_PATH, help="New folder for ratings, key and a page about them.")
def unblind(sheet: Path, key: Path, rater: str, out: Path | None) -> None:
    """Tell what the filled SHEET says of the candidates in KEY."""
    console.write(scores_text(unblind_sheet(sheet, key, rater, out)) + "\n")


def main() -> int:
    """Run the command line and return its exit code."""
    return run(voice, sys.argv[1:], name="scripts/voice")
