"""The sheet that a reader fills in: written from a draw, and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import msgspec

from empgan_rt.errors import DataError, InputError
from empgan_rt.storage.file_set import replace_file
from empgan_rt.storage.replacing import restored

from ..data.folder import write_folder
from ..human.ratings import wrong_cell
from ..human.table import csv_bytes, harmless, read_rows
from ..stored_json import json_lines
from .candidates import Answers
from .contexts import Context
from .draw import Draw, Row, draw_rows
from .instructions import INSTRUCTIONS

SHEET_NAME = "sheet.csv"
_SHOWN = ("dialogue", "emotion", "letter", "reply")
_SPEAKERS = ("person", "bot")
_YES_NO = {"no": 0, "yes": 1}
_SCALES: Mapping[str, Mapping[str, int]] = {
    "content": {"0": 0, "1": 1, "2": 2},
    "empathy": {"0": 0, "1": 1, "2": 2},
    "harmful": _YES_NO,
    "generic": _YES_NO,
}


class Rated(msgspec.Struct, frozen=True):
    """One reply, those who gave it, and what the reader said of it."""

    row: str
    context: str
    kind: str
    letter: str
    candidates: tuple[str, ...]
    reply: str
    content: int
    empathy: int
    harmful: bool
    generic: bool

    @property
    def good(self) -> bool:
        """Whether content and empathy together have 3 points of 4 or more."""
        return self.content + self.empathy >= 3


def make_sheet(
    contexts: Sequence[Context], answers: Mapping[str, Answers], out: Path, key: Path, seed: int
) -> Draw:
    """Write a reader's folder and, elsewhere, the key to it; return what was drawn.

    Args:
        answers: of each candidate, by its name.
        out: a new folder for the sheet and its instructions; it names no candidate.
        key: a new file outside of `out`.

    Raises:
        InputError: `out` or `key` exists, `key` lies in `out`, or `draw_rows` refuses.
        StorageError: something cannot be written.
    """
    if key.resolve().is_relative_to(out.resolve()):
        raise InputError(f"the key {key} lies in {out}", hint="keep it away from the reader")
    if restored(out) or key.exists():
        raise InputError(
            f"{key if key.exists() else out} exists",
            hint="there may be ratings with it: choose another name",
        )
    draw = draw_rows(contexts, answers, seed)
    shown = _shown(draw)
    rows = ([row, *cells.values(), *("" for _ in _SCALES)] for row, cells in shown.items())
    sheet = csv_bytes(("row", *_SHOWN, *_SCALES), rows)
    replace_file(key, json_lines([draw]))
    write_folder(out, {SHEET_NAME: sheet, "INSTRUCTIONS.md": INSTRUCTIONS.encode("utf-8")})
    return draw


def read_ratings(sheet: Path, draw: Draw) -> list[Rated]:
    """Return what a filled sheet says, in the order of the draw.

    Raises:
        DataError: a row is missing, unknown, there twice or no longer shows what it showed, or a
            mark is missing or off its scale.
    """
    found = read_rows(sheet, draw.by_id(), (*_SHOWN, *_SCALES))
    for row, cells in _shown(draw).items():
        changed = [c for c in _SHOWN if found[row][c].split() != harmless(cells[c]).split()]
        if changed:
            raise DataError(
                f"{sheet.name}: row {row} was altered: its {changed[0]} is not the one drawn",
                hint="write into the columns for marks alone, and save as UTF-8",
            )
    empty = [(row, c) for row in draw.by_id() for c in _SCALES if not found[row][c]]
    if empty:
        raise DataError(
            f"{sheet.name}: {len(empty)} marks are missing, {empty[0][1]} of row {empty[0][0]} the "
            f"first; all wanted",
            hint="rate every row: a part would favour whatever stands in it",
        )
    kinds = {context.id: context.kind for context in draw.contexts}
    return [
        _rated(sheet, name, row, kinds[row.context], found[name])
        for name, row in draw.by_id().items()
    ]


def _shown(draw: Draw) -> dict[str, dict[str, str]]:
    """Return what the reader sees of each row: row id -> column -> cell."""
    contexts = {context.id: context for context in draw.contexts}
    rows = {}
    for name, row in draw.by_id().items():
        context = contexts[row.context]
        turns = "\n".join(f"{s}: {t}" for s, t in zip(cycle(_SPEAKERS), context.turns))
        cells = (turns, context.emotion, row.letter, row.reply)
        rows[name] = dict(zip(_SHOWN, cells, strict=True))
    return rows


def _rated(sheet: Path, name: str, row: Row, kind: str, cells: Mapping[str, str]) -> Rated:
    marks = {}
    for column, scale in _SCALES.items():
        cell = cells[column]
        if cell.lower() not in scale:
            raise wrong_cell(sheet, name, column, cell, " or ".join(scale))
        marks[column] = scale[cell.lower()]
    return Rated(
        row=name,
        context=row.context,
        kind=kind,
        letter=row.letter,
        candidates=row.candidates,
        reply=row.reply,
        content=marks["content"],
        empathy=marks["empathy"],
        harmful=bool(marks["harmful"]),
        generic=bool(marks["generic"]),
    )
