"""The extra that the server needs, missing."""

from __future__ import annotations

import sys

import pytest

import empgan_rt.server
from empgan_rt import DependencyError


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "starlette", None)
    for name in empgan_rt.server.__all__:
        with pytest.raises(DependencyError, match="packages are missing") as missing:
            getattr(empgan_rt.server, name)
        assert "empgan-rt[serve]" in missing.value.hint


def test_there_is_nothing_else() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'apps'"):
        _ = empgan_rt.server.apps
