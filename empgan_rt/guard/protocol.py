"""What a guard is: anything with these two methods.

A guard sees a message before the model does, and the model's candidates before the user does. Its
`Verdict` lets them through or says something else in their place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from ..dialogue.turns import Turn
from ..dialogue.verdict import Verdict


class Guard(Protocol):
    """A guard that answers at once; any number of threads may ask it."""

    def check_input(self, turns: Sequence[Turn]) -> Verdict:
        """Return whether the model may answer a dialogue.

        Args:
            turns: the turns so far, oldest first; the newest is the message.
        """

    def check_reply(self, turns: Sequence[Turn], candidates: Sequence[str]) -> Verdict:
        """Return whether the model may say what it found.

        Args:
            turns: as `check_input`; a turn whose emotion nobody gave has the recognised one.
            candidates: the texts of the model's replies, best first; at least one.
        """


class AsyncGuard(Protocol):
    """The same as coroutines, for `AsyncResponder` and what is made of it."""

    def check_input(self, turns: Sequence[Turn]) -> Awaitable[Verdict]:
        """Return whether the model may answer a dialogue; arguments as `Guard`."""

    def check_reply(self, turns: Sequence[Turn], candidates: Sequence[str]) -> Awaitable[Verdict]:
        """Return whether the model may say what it found; arguments as `Guard`."""
