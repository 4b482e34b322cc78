"""The Python modules of the four packages, by dotted name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES: Mapping[str, Path] = {
    "empgan_rt": ROOT / "empgan_rt",
    "empgan_training": ROOT / "training" / "empgan_training",
    "empgan_export": ROOT / "export" / "empgan_export",
    "empgan_bench": ROOT / "bench" / "empgan_bench",
}


def module_paths() -> dict[str, Path]:
    """Return dotted module name -> file of every module; a package counts as its `__init__`."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *parts))] = path
    return found
