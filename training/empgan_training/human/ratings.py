"""Filled sheets read back, as spreadsheet programs save them."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from empgan_rt.errors import DataError

from .key import CRITERIA, ROW_ID, Key

# criterion -> row id -> 0, 1 or 2, or None where the rater left the cell empty
Ratings = Mapping[str, Mapping[str, int | None]]

_SCALE: Mapping[str, int | None] = {"": None, "0": 0, "1": 1, "2": 2}
_MAX_SHOWN = 4  # characters of a wrong rating; a longer one may be a dialogue's text


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
    """Return the ratings in one sheet.

    Commas and semicolons, a byte order mark or none, other columns and their order, and any order
    of the rows are accepted.

    Args:
        rows: the row ids that must be there, each once.

    Raises:
        DataError: a row is missing, unknown or there twice, or a rating is not 0, 1, 2 or empty.
    """
    header, *lines = _table(path)
    names = [cell.strip().lower() for cell in header]
    missing = [name for name in ("row", *CRITERIA) if names.count(name) != 1]
    if missing:
        raise DataError(
            f"{path.name}: {names.count(missing[0])} columns called {missing[0]!r}, 1 wanted",
            hint="keep the first line, and save as CSV with commas or semicolons",
        )
    ratings: dict[str, dict[str, int | None]] = {criterion: {} for criterion in CRITERIA}
    for line in lines:
        cells = dict(zip(names, (cell.strip() for cell in line), strict=False))
        row = cells.get("row", "")
        if row not in rows:
            raise DataError(
                f"{path.name}: a row is not in the key"
                + (f", {row}" if ROW_ID.fullmatch(row) else ""),
                hint="is this the sheet of another draw?",
            )
        if row in ratings[CRITERIA[0]]:
            raise DataError(f"{path.name}: row {row} is there twice", hint="remove one of them")
        for criterion in CRITERIA:
            ratings[criterion][row] = _rating(path, row, criterion, cells.get(criterion, ""))
    absent = [row for row in rows if row not in ratings[CRITERIA[0]]]
    if absent:
        raise DataError(
            f"{path.name}: {len(absent)} of {len(rows)} rows are missing, {absent[0]} the first",
            hint="put them back; a row need not be rated",
        )
    return ratings


def _rating(path: Path, row: str, criterion: str, cell: str) -> int | None:
    if cell not in _SCALE:
        shown = repr(cell) if len(cell) <= _MAX_SHOWN else f"a text of {len(cell)} characters"
        raise DataError(
            f"{path.name}: row {row}: {criterion} is {shown}, wanted 0, 1, 2 or nothing",
            hint="ask the rater",
        )
    return _SCALE[cell]


def _table(path: Path) -> Sequence[list[str]]:
    """Return the lines of a CSV file that hold anything, the header first.

    Raises:
        DataError: the file cannot be read, or holds nothing.
    """
    try:
        # Some programs save in an encoding of their own; what is read here is ASCII in all of them.
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
        header = text.split("\n", 1)[0]
        delimiter = ";" if header.count(";") > header.count(",") else ","
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (OSError, csv.Error) as error:
        raise DataError(f"{path.name} cannot be read: {error}", hint="save it as CSV") from error
    lines = [line for line in table if any(cell.strip() for cell in line)]
    if not lines:
        raise DataError(f"{path.name} is empty", hint="put the sheet back as it was written")
    return lines
