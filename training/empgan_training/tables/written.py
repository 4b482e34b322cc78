"""The tables as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from empgan_rt.storage.file_set import replace_together

from ..stored_json import json_file
from .make import Tables
from .markdown import tables_markdown


def write_tables(tables: Tables, out: Path, beside: Mapping[str, bytes] | None = None) -> None:
    """Write `tables.json` and `tables.md` into a folder; they are always of the same tables.

    Args:
        beside: other files, by name, that belong to these tables.

    Raises:
        StorageError: a file cannot be written.
    """
    files = {
        "tables.json": json_file(tables.as_dict()),
        "tables.md": tables_markdown(tables).encode("utf-8"),
    }
    replace_together(out, files | dict(beside or {}))
