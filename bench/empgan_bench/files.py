"""Writes a report: `report.json` with raw samples, `report.md`, and one offline `report.html`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from empgan_rt.storage import replace_file

from .report import Circumstances

FILES = ("report.json", "report.md", "report.html")


def write(report: Circumstances, markdown: str, page: str, folder: Path) -> list[Path]:
    """Write the three files of a report of any kind and return their paths.

    Each is written whole or not at all.

    Raises:
        StorageError: the disk refused.
    """
    raw = msgspec.json.format(msgspec.json.encode(report), indent=1)
    contents = (raw, markdown.encode(), page.encode())
    paths = [folder / name for name in FILES]
    for path, data in zip(paths, contents, strict=True):
        replace_file(path, data)
    return paths
