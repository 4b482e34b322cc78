"""Predictions of made-up systems for our own dialogues, and raters who fill in sheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from empgan_rt.config import Limits
from empgan_training.data.prepared import PreparedData
from support.small_data import write_jsonl

Rater = Callable[[Mapping[str, str], str], str]  # (what a row shows, criterion) -> a cell


def sample_ids(prepared: Path) -> list[str]:
    """Return the ids of the samples of the tables."""
    data = PreparedData(prepared, Limits())
    return [sample.id for sample in data.table_samples(data.split("test"))]


def write_predictions(prepared: Path, folder: Path, systems: Mapping[str, str]) -> dict[str, Path]:
    """Write a file for each system, whose every reply is the text given; return the files.

    The files' names hold no system's name.
    """
    ids = sample_ids(prepared)
    return {
        name: write_jsonl(folder / f"{number}.jsonl", [{"id": i, "hypothesis": reply} for i in ids])
        for number, (name, reply) in enumerate(systems.items())
    }


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a sheet as it was written."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_csv(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> None:
    """Write a sheet as a spreadsheet program may save it, without a byte order mark."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(file.getvalue().encode("utf-8"))


def read_key_json(folder: Path) -> Any:
    """Return `key.json` as plain values."""
    return json.loads((folder / "key.json").read_bytes())


def fill(folder: Path, sheet: str, rater: Rater) -> None:
    """Let a rater fill in a sheet; the rater sees through the blinding."""
    shown = read_key_json(folder)["rows"]
    rows = read_csv(folder / sheet)
    for row in rows:
        for criterion in ("content", "empathy"):
            row[criterion] = rater(shown[row["row"]], criterion)
    write_csv(folder / sheet, rows)
