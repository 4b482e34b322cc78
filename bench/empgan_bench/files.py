"""Writes a report: `report.json` with raw samples, `report.md`, and one offline `report.html`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from empgan_rt.storage import replace_file

from .markdown import render_markdown
from .page import render_page
from .report import Report

FILES = ("report.json", "report.md", "report.html")


def write(report: Report, folder: Path) -> list[Path]:
    """Write the three files, each whole or not at all, and return their paths.

    Raises:
        StorageError: the disk refused.
    """
    contents = (
        msgspec.json.format(msgspec.json.encode(report), indent=1),
        render_markdown(report).encode(),
        render_page(report).encode(),
    )
    paths = [folder / name for name in FILES]
    for path, data in zip(paths, contents, strict=True):
        replace_file(path, data)
    return paths
