"""A sheet as a CSV file: written so that spreadsheet programs do no harm, read as they save it."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from empgan_rt.errors import DataError

from .key import ROW_ID

_FORMULA_STARTS = ("=", "+", "-", "@")
_BYTE_ORDER_MARK = "\ufeff"  # without it, spreadsheet programs guess an encoding


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a sheet, the names of its columns first; no program computes a cell of it."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return (_BYTE_ORDER_MARK + file.getvalue()).encode("utf-8")


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet program computes: `=1+1` as `'=1+1`."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def read_rows(
    path: Path, rows: Collection[str], columns: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return the cells of a sheet, stripped: row id -> column -> cell.

    Commas and semicolons, a byte order mark or none, other columns and their order, and any order
    of the rows are accepted.

    Args:
        rows: the row ids that must be there, each once.
        columns: those that must be there besides "row", each once.

    Raises:
        DataError: the file cannot be read, or a column or a row is missing, unknown or there twice.
    """
    header, *lines = _table(path)
    names = [cell.strip().lower() for cell in header]
    missing = [name for name in ("row", *columns) if names.count(name) != 1]
    if missing:
        raise DataError(
            f"{path.name}: {names.count(missing[0])} columns called {missing[0]!r}, 1 wanted",
            hint="keep the first line, and save as CSV with commas or semicolons",
        )
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        cells = dict(zip(names, (cell.strip() for cell in line), strict=False))
        row = cells.get("row", "")
        if row not in rows:
            raise DataError(
                f"{path.name}: a row is not in the key"
                + (f", {row}" if ROW_ID.fullmatch(row) else ""),
                hint="is this the sheet of another draw?",
            )
        if row in found:
            raise DataError(f"{path.name}: row {row} is there twice", hint="remove one of them")
        found[row] = {column: cells.get(column, "") for column in columns}
    absent = [row for row in rows if row not in found]
    if absent:
        raise DataError(
            f"{path.name}: {len(absent)} of {len(rows)} rows are missing, {absent[0]} the first",
            hint="put them back; a row need not be rated",
        )
    return found


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
