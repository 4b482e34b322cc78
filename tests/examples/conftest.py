"""The folder of examples, imported as whoever runs them would, and dialogues for them to have."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from empgan_rt import SessionPool
from support.source_tree import ROOT

EXAMPLES = ROOT / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., ModuleType]:
    """Imports an example; the test is skipped, and says so, if the package it needs is missing."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def load(name: str, needs: str) -> ModuleType:
        with warnings.catch_warnings():  # what others' packages import is theirs
            warnings.simplefilter("ignore")
            pytest.importorskip(needs, reason=f"{name} needs the package {needs}")
            module = import_module(name)
        if hasattr(module, "main"):  # what it opens is small, and goes with the test
            monkeypatch.setattr(module, "opened_pool", partial(module.opened_pool, bundle="tiny"))
            monkeypatch.chdir(tmp_path)
        return module

    return load


@pytest.fixture
def with_pool(
    example: Callable[..., ModuleType], tmp_path: Path
) -> Callable[[Callable[[SessionPool], Awaitable[None]]], None]:
    """Runs a talk with dialogues of `tiny` in a file, as bots open them."""
    opened_pool = example("bot_answers", "empgan_rt").opened_pool

    def run(talk: Callable[[SessionPool], Awaitable[None]]) -> None:
        async def main() -> None:
            async with opened_pool(str(tmp_path / "bot.db"), "tiny") as pool:
                await talk(pool)

        asyncio.run(main())

    return run
