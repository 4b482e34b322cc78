"""The folder of examples, imported as whoever runs them would, and dialogues for them to have."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from empgan_rt import SessionPool
from support.source_tree import ROOT

EXAMPLES = ROOT / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Imports an example; the test is skipped, and says so, if the package it needs is missing."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def load(name: str, needs: str) -> ModuleType:
        with warnings.catch_warnings():  # what others' packages import is theirs
            warnings.simplefilter("ignore")
            pytest.importorskip(needs, reason=f"{name} needs the package {needs}")
            return import_module(name)

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
