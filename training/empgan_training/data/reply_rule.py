"""Which turns of a dialogue are responses, and so make samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RuleName = Literal["answered", "all", "listener"]


@dataclass(frozen=True)
class ReplyRule:
    """Which turns are responses; the first one never is, since nothing is said before it.

    Attributes:
        every: 1 for every turn, 2 for those of whoever did not begin.
        answered: only turns that another one follows, the feedback.
    """

    every: int = 1
    answered: bool = True

    def responses(self, turns: int) -> range:
        """Return the responses of a dialogue of so many turns."""
        return range(1, turns - self.answered, self.every)

    @property
    def least_turns(self) -> int:
        """How many turns a dialogue needs for one response."""
        return 2 + self.answered


REPLY_RULES: dict[RuleName, ReplyRule] = {
    "answered": ReplyRule(),
    "all": ReplyRule(answered=False),
    "listener": ReplyRule(every=2, answered=False),
}
