"""Writes a report: `report.json` with raw samples, `report.md`, and one offline `report.html`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from empgan_rt.storage import replace_file

from .markdown import render_markdown
from .page import render_page
from .report import Report, Run

FILES = ("report.json", "report.md", "report.html")


def write(report: Report, folder: Path) -> list[Path]:
    """Write the three files, each whole or not at all, and return their paths.

    Raises:
        StorageError: the disk refused.
    """
    return write_rendered(report, render_markdown(report), render_page(report), folder)


def write_rendered(record: Run, markdown: str, page: str, folder: Path) -> list[Path]:
    """Write the report of any kind of run, whose texts are given, as `write` does.

    Raises:
        StorageError: the disk refused.
    """
    raw = msgspec.json.format(msgspec.json.encode(record), indent=1)
    contents = (raw, markdown.encode(), page.encode())
    paths = [folder / name for name in FILES]
    for path, data in zip(paths, contents, strict=True):
        replace_file(path, data)
    return paths
