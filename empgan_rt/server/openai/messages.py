"""Messages of OpenAI's dialect, and the turns that they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from ...dialogue.turns import EmotionName, Turn
from ..refusal import RefusedError, bad_request
from ..vocabulary import MAX_TURNS, turn_of

ROLES = ("user", "assistant", "system", "developer")
TEXT_PARTS = ("text", "input_text", "output_text")
IGNORED = {"x-empgan-ignored": "system"}  # the header that tells that instructions had no effect
MAX_PARTS = 100  # of one message


class ContentPart(msgspec.Struct, frozen=True):
    """A part of a message; only parts that are text can be read."""

    text: str | None = None
    type: Annotated[str, msgspec.Meta(extra_json_schema={"enum": [*TEXT_PARTS]})] = "text"


Content = str | Annotated[list[ContentPart], msgspec.Meta(max_length=MAX_PARTS)] | None


class Message(msgspec.Struct, frozen=True):
    """What one speaker said; `emotion` is ours, for speakers whose emotion is known.

    Messages of "system" and "developer" have no effect, which the answer's header
    `x-empgan-ignored` tells.
    """

    role: Annotated[str, msgspec.Meta(extra_json_schema={"enum": [*ROLES]})]
    content: Content = None
    emotion: EmotionName | None = None


Messages = Annotated[list[Message], msgspec.Meta(min_length=1, max_length=MAX_TURNS)]


def turns_of(messages: Sequence[Message], field: str) -> tuple[list[Turn], bool]:
    """Return the turns of some messages, and whether instructions among them were left out.

    What the assistant said without words is left out as well: it is a reply of ours.

    Args:
        messages: oldest first.
        field: of the body, for errors.

    Raises:
        RefusedError: the newest is not the user's, or one of them cannot be read.
    """
    turns, is_instructed, newest = [], False, ""
    for place, message in enumerate(messages):
        where = f"{field}[{place}]"
        if message.role not in ROLES:
            raise bad_request(
                "unsupported_role",
                "the roles are user, assistant, system and developer",
                f"{where}.role",
            )
        text = _text(message.content, f"{where}.content")
        if message.role in ("system", "developer"):
            is_instructed = True
            continue
        newest = message.role
        if text.strip() or newest == "user":
            turns.append(turn_of(text, message.emotion))
    if newest != "user":
        raise bad_request("invalid_value", "the last message must be the user's", field)
    return turns, is_instructed


def _text(content: Content, where: str) -> str:
    """Return the text of a message, its parts joined by newlines.

    Raises:
        RefusedError: a part is no text.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    texts = []
    for place, part in enumerate(content):
        if part.type not in TEXT_PARTS or part.text is None:
            raise _unsupported(f"{where}[{place}]")
        texts.append(part.text)
    return "\n".join(texts)


def _unsupported(where: str) -> RefusedError:
    return bad_request("unsupported_content", "the model reads text alone", where)
