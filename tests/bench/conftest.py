"""Fixtures of the bench's tests."""

from __future__ import annotations

from typing import Any

import pytest

from empgan_bench.measuring import bench
from support.near_worker import NearWorker


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no process for our engines: what is tested lies above their workers."""
    start = bench.Worker

    def open_worker(
        name: str,
        opener: str,
        bundle: str,
        threads: int,
        python: str | None = None,
        **more: bool,
    ) -> Any:
        if python is None:
            return NearWorker(name, opener, bundle, threads)
        return start(name, opener, bundle, threads, python, **more)

    monkeypatch.setattr(bench, "Worker", open_worker)
