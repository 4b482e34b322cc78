"""The licence texts that a bundle carries."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

_TEXTS = ("Apache-2.0", "CC-BY-NC-SA-4.0")
VADER = "VADER-MIT.txt"
STATED = "WEIGHTS.txt"
_STATEMENT = """The licence of the weights in this bundle:

    {licence}

So it was stated when the data that they were trained on was prepared.
"""


def write_licences(folder: Path, licence: str) -> None:
    """Write the texts of the weights' licence that we have, and that of VADER's lexicon.

    A licence is an SPDX expression or anybody's own words, see `empgan_training.data.licences`. If
    it is more than one name whose text we have, `STATED` says what it is.
    """
    folder.mkdir()
    source = resources.files("empgan_export") / "assets"
    named = licence.replace("(", " ").replace(")", " ").split()
    for name in (*(f"{known}.txt" for known in _TEXTS if known in named), VADER):
        (folder / name).write_bytes((source / name).read_bytes())
    if licence not in _TEXTS:
        (folder / STATED).write_text(_STATEMENT.format(licence=licence), "utf-8")
