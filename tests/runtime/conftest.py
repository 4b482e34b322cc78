"""Fixtures of the runtime's tests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from empgan_rt.cli.main import PACKAGES
from support.command_line import Outcome, run


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Callable[..., Outcome]]:
    """Runs `empgan-rt` with the given arguments and stdin; returns its outcome."""

    def call(*arguments: object, stdin: bytes = b"") -> Outcome:
        return run(monkeypatch, capfdbinary, *arguments, stdin=stdin)

    yield call
    for package in PACKAGES:  # the command line sets their levels
        logging.getLogger(package).setLevel(logging.NOTSET)
