"""Writes a report: `report.json` with raw samples, `report.md`, and one offline `report.html`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from empgan_rt.storage.file_set import replace_together

from ..measuring.fingerprint import Circumstances

FILES = ("report.json", "report.md", "report.html")


def write(report: Circumstances, markdown: str, page: str, folder: Path) -> list[Path]:
    """Write the three files of a report of any kind and return their paths.

    They are one unit: whenever the process ends, `report.md` and `report.html` are of the run
    that `report.json` is of, or not there.

    Raises:
        StorageError: the disk refused.
    """
    raw = msgspec.json.format(msgspec.json.encode(report), indent=1)
    contents = (raw, markdown.encode(), page.encode())
    return replace_together(folder, dict(zip(FILES, contents, strict=True)))
