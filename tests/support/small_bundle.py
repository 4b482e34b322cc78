"""A bundle exported from a tiny random checkpoint, made once per test run."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from empgan_export.package import ExportOptions, export_bundle
from support.small_data import small_checkpoint


@cache
def small_bundle() -> tuple[Path, Path]:
    """Return the paths of a checkpoint and of the bundle exported from it."""
    folder = Path(mkdtemp(prefix="empgan-small-"))
    checkpoint = small_checkpoint(folder)
    export_bundle(checkpoint, folder / "small.empgan", ExportOptions(num_contexts=10))
    return checkpoint, folder / "small.empgan"
