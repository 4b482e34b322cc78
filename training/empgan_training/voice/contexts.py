"""The contexts that candidates answer, a line of JSON each.

{"id": "joy-ring", "kind": "joy", "emotion": "happiness", "turns": ["i said yes!!"]}
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from empgan_rt.dialogue.turns import Emotion
from empgan_rt.errors import DataError, InputError

from ..stored_json import decode_json

APART = "crisis"  # replies to people in danger are a guard's, and counted by themselves


class Context(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dialogue that wants a reply.

    Attributes:
        id: its name, which results keep.
        kind: what it is about, such as "joy" or "grief"; "crisis" is counted apart.
        emotion: of the user in the newest turn, a name of `Emotion` in lower case.
        turns: oldest first; the user speaks first and last.
    """

    id: str
    kind: str
    emotion: str
    turns: tuple[str, ...]

    def fault(self) -> str:
        """Return what is wrong with it, or nothing."""
        if not self.id.strip() or not self.kind.strip():
            return "its id or kind is blank"
        if self.emotion not in {emotion.name.lower() for emotion in Emotion}:
            return f"its emotion is {self.emotion[:40]!r}, wanted one of the seven"
        if len(self.turns) % 2 == 0 or not all(turn.strip() for turn in self.turns):
            return f"it has {len(self.turns)} turns, wanted an odd number and none of them blank"
        return ""


def read_contexts(path: Path) -> list[Context]:
    """Return the contexts of a file, in their order.

    Raises:
        InputError: the file cannot be read.
        DataError: a line is no context, an id is there twice, or all of them are of the kind
            "crisis".
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    contexts: dict[str, Context] = {}
    for number, line in enumerate(lines, start=1):
        try:
            context = decode_json(line, Context)
            fault = context.fault()
        except ValueError as error:
            fault = f"{error}"[:200]
        if not fault and context.id in contexts:
            fault = f"the id {context.id[:40]!r} is there a second time"
        if fault:
            raise DataError(
                f"{path}:{number} is no context: {fault}",
                hint='wanted {"id": ..., "kind": ..., "emotion": ..., "turns": [...]}',
            )
        contexts[context.id] = context
    if all(context.kind == APART for context in contexts.values()):
        raise DataError(
            f"{path} holds {len(contexts)} contexts, none of another kind than {APART!r}",
            hint="add some: rates are taken over those",
        )
    return list(contexts.values())
