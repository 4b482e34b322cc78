"""The tables as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from empgan_rt.storage.file_set import replace_together

from .make import Tables
from .markdown import tables_markdown


def write_tables(tables: Tables, out: Path, beside: Mapping[str, bytes] | None = None) -> None:
    """Write `tables.json` and `tables.md` into a folder; they are always of the same tables.

    Args:
        beside: other files, by name, that belong to these tables.

    Raises:
        StorageError: a file cannot be written.
    """
    as_json = msgspec.json.format(msgspec.json.encode(tables.as_dict()), indent=2) + b"\n"
    files = {"tables.json": as_json, "tables.md": tables_markdown(tables).encode("utf-8")}
    replace_together(out, files | dict(beside or {}))
