"""Writes a report: `report.json` with raw samples, `report.md`, and one offline `report.html`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from empgan_rt.errors import StorageError

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
        partial = path.with_name(f".{path.name}.part")
        try:
            partial.write_bytes(data)
            partial.replace(path)
        except OSError as error:
            raise StorageError(f"{path.name} could not be written: {error.strerror}") from None
    return paths
