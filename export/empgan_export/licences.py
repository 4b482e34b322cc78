"""The licence texts that a bundle carries."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from empgan_rt.errors import CheckpointError

_TEXTS = ("Apache-2.0", "CC-BY-NC-SA-4.0")
VADER = "VADER-MIT.txt"


def write_licences(folder: Path, licence: str) -> None:
    """Write the text of the weights' licence (an SPDX name) and of VADER's lexicon.

    Raises:
        CheckpointError: the checkpoint states a licence whose text we do not have.
    """
    if licence not in _TEXTS:
        raise CheckpointError(
            f"the checkpoint's licence is {licence!r}", hint=f"wanted one of {', '.join(_TEXTS)}"
        )
    folder.mkdir()
    source = resources.files("empgan_export") / "assets"
    for name in (f"{licence}.txt", VADER):
        (folder / name).write_bytes((source / name).read_bytes())
