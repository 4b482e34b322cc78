"""What a guard decides about a message or a reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import InputError

Action = Literal["allow", "replace", "block", "hand_over"]


@dataclass(frozen=True)
class Verdict:
    """What a guard says of a message, or of the model's replies to it.

    Attributes:
        action: "allow" lets the model speak. With all others `text` is said in its place: after
            "replace" the dialogue goes on, "block" forgets the message, and "hand_over" asks the
            program to bring a person.
        text: what is said in place of the model's reply; empty with "allow" alone.
        category: what the guard takes it for, such as "self_harm".
        rule: which of the guard's rules said so.
        message: a sentence for those who run the program, without words of the dialogue.
        candidates: of replies that are allowed, the places of those that may be said, the one to
            be said first; None for all, as the model ranks them.
    """

    action: Action = "allow"
    text: str = ""
    category: str = ""
    rule: str = ""
    message: str = ""
    candidates: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise InputError(
                f"a verdict {str(self.action)[:40]!r}", hint=f"give one of {get_args(Action)}"
            )
        allows = self.action == "allow"
        if allows == bool(self.text.strip()) or (self.candidates is not None and not allows):
            raise InputError(
                f"a verdict {self.action!r} of {len(self.text)} characters",
                hint="give a text, or allow, which alone may choose candidates",
            )
        if self.candidates is not None and not self.candidates:
            raise InputError("a verdict that allows no candidate", hint="give a text instead")

    def to_dict(self) -> dict[str, str]:
        """Return what it says for those who run the program as plain JSON values.

        Its text is the reply's.
        """
        return {
            "action": self.action,
            "category": self.category,
            "rule": self.rule,
            "message": self.message,
        }

    @classmethod
    def replace(
        cls, text: str, *, category: str = "", rule: str = "", message: str = ""
    ) -> Verdict:
        """Return the verdict that says `text` and goes on."""
        return cls("replace", text, category, rule, message)

    @classmethod
    def block(cls, text: str, *, category: str = "", rule: str = "", message: str = "") -> Verdict:
        """Return the verdict that says `text` and forgets the message."""
        return cls("block", text, category, rule, message)

    @classmethod
    def hand_over(
        cls, text: str, *, category: str = "", rule: str = "", message: str = ""
    ) -> Verdict:
        """Return the verdict that says `text` and asks for a person."""
        return cls("hand_over", text, category, rule, message)
