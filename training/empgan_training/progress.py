"""How long work tells of itself: it is handed an `on_progress`, and whoever called it draws.

A command hands over `empgan_rt.cli.console.progress`; nobody who hands over nothing sees anything.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Reporter(Protocol):
    """Receives the progress of one piece of work."""

    def update(self, done: int, note: str = "") -> None:
        """Tell how many units are done, and anything worth showing beside it."""
        ...


class OnProgress(Protocol):
    """Opens the reporter of one piece of work, for as long as the work goes on."""

    def __call__(self, title: str, total: int | None, /) -> AbstractContextManager[Reporter]:
        """Return the context of `total` units (None: nobody knows); pieces of work may nest."""
        ...


class _Silent:
    def update(self, done: int, note: str = "") -> None:
        """Show nothing."""


def silent(title: str, total: int | None, /) -> AbstractContextManager[Reporter]:
    """Return a reporter that nobody sees: every `on_progress` that was not given."""
    return nullcontext(_Silent())
