"""The tables as files."""

from __future__ import annotations

from pathlib import Path

import msgspec

from empgan_rt.storage import replace_file

from .make import Tables
from .markdown import tables_markdown


def write_tables(tables: Tables, out: Path) -> None:
    """Write `tables.md` and `tables.json` into a folder, each in one step.

    Raises:
        StorageError: a file cannot be written.
    """
    as_json = msgspec.json.format(msgspec.json.encode(tables.as_dict()), indent=2) + b"\n"
    replace_file(out / "tables.md", tables_markdown(tables).encode("utf-8"))
    replace_file(out / "tables.json", as_json)
