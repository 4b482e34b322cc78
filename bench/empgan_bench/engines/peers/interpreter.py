"""Which interpreter has a peer (`--peer NAME=PYTHON`), asked for its packages before a run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from importlib import import_module

from empgan_rt.errors import DependencyError, InputError

from ..table import PEERS

COMMON_PACKAGES = ("msgspec", "numpy", "tokenizers")  # of our runtime, which a worker imports
_LEAST = (3, 11)
_ASKED = (
    "import json, sys; from importlib.util import find_spec; "
    "print(json.dumps([sys.version_info[:2], [n for n in sys.argv[1:] if not find_spec(n)]]))"
)
_LIMIT_S = 60.0


def interpreters(texts: Sequence[str]) -> dict[str, str]:
    """Return the interpreter of each peer, every one shown to have what the peer needs.

    Args:
        texts: "NAME=PYTHON" each.

    Raises:
        InputError: a text is written otherwise, or a name is unknown or there twice.
        DependencyError: an interpreter is not there or too old, or lacks packages.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, python = (part.strip() for part in text.partition("="))
        if name not in PEERS or not equals or not python or name in found:
            raise InputError(
                f"--peer {text[:80]!r}",
                hint=f"give NAME=PYTHON, each name once: {', '.join(PEERS)}",
            )
        _check(name, python)
        found[name] = python
    return found


def _check(name: str, python: str) -> None:
    """Do nothing if `python` is an interpreter with the packages of a peer.

    Raises:
        DependencyError: it is not.
    """
    module = import_module(PEERS[name].partition(":")[0])
    packages = (*module.PACKAGES, *COMMON_PACKAGES)
    try:
        answer = subprocess.run(
            [python, "-I", "-c", _ASKED, *packages],
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=True,
        ).stdout
        version, missing = json.loads(answer)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DependencyError(
            f"{python} is no Python interpreter for the peer {name}: {reason}",
            hint="make an environment for it, see docs/peers.md",
        ) from None
    if (*version,) < _LEAST:
        raise DependencyError(
            f"{python} is Python {version[0]}.{version[1]}, but the peer {name} needs 3.11",
            hint="make an environment with a newer one, see docs/peers.md",
        )
    if missing:
        raise DependencyError(
            f"{python} lacks {', '.join(missing)}, and the peer {name} needs it",
            hint=f"{python} -m pip install {' '.join(missing)}",
        )
