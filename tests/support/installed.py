"""Which packages of others are there."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def need(*names: str) -> None:
    """Skip a test, and say why, if one of these packages is not there.

    None is imported, as `pytest.importorskip` does it: LiteLLM then calls a server elsewhere.
    """
    for name in names:
        if find_spec(name) is None:
            pytest.skip(f"could not find {name}")
