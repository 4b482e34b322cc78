"""Filled sheets read back, as spreadsheet programs save them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from empgan_rt.errors import DataError

from .key import CRITERIA, Key
from .table import read_rows

# criterion -> row id -> 0, 1 or 2, or None where the rater left the cell empty
Ratings = Mapping[str, Mapping[str, int | None]]

_SCALE: Mapping[str, int | None] = {"": None, "0": 0, "1": 1, "2": 2}
_MAX_SHOWN = 4  # characters of a wrong rating


def read_sheets(folder: Path, key: Key) -> dict[str, Ratings]:
    """Return the ratings of each sheet, by file name; a sheet may hold none.

    Raises:
        DataError: a sheet is missing, there is one too many, or one cannot be read as it should.
    """
    found = {path.name for path in folder.glob("rater-*.csv")}
    if found != set(key.sheets):
        odd = sorted(found ^ set(key.sheets))
        raise DataError(
            f"{folder} holds {len(found)} sheets, wanted {len(key.sheets)}; {odd[0]} is missing or "
            f"unknown",
            hint="put back every sheet that was written, empty ones too, and no other",
        )
    return {name: read_sheet(folder / name, key.rows) for name in key.sheets}


def read_sheet(path: Path, rows: Collection[str]) -> Ratings:
    """Return the ratings in one sheet, in any form that `table.read_rows` accepts.

    Args:
        rows: the row ids that must be there, each once.

    Raises:
        DataError: a row is missing, unknown or there twice, or a rating is not 0, 1, 2 or empty.
    """
    found = read_rows(path, rows, CRITERIA)
    ratings: dict[str, dict[str, int | None]] = {criterion: {} for criterion in CRITERIA}
    for row, cells in found.items():
        for criterion in CRITERIA:
            cell = cells[criterion]
            if cell not in _SCALE:
                raise wrong_cell(path, row, criterion, cell, "0, 1, 2 or nothing")
            ratings[criterion][row] = _SCALE[cell]
    return ratings


def wrong_cell(path: Path, row: str, column: str, cell: str, wanted: str) -> DataError:
    """Return the error that names a cell by file, row and column.

    A long cell may be a dialogue's text, so only its length is told.
    """
    shown = repr(cell) if len(cell) <= _MAX_SHOWN else f"a text of {len(cell)} characters"
    return DataError(
        f"{path.name}: row {row}: {column} is {shown}, wanted {wanted}", hint="ask the rater"
    )
