"""A ConvoKit corpus: a folder with `utterances.jsonl`, an utterance a line, and files about it.

Of an utterance `id`, `conversation_id` (`root` in older corpora), `text`, `reply-to` (`reply_to`)
and, in `meta`, `emotion` are read, and of `conversations.json` the `split` of a conversation's
meta. `index.json`, `corpus.json` and `speakers.json` are not needed. An utterance comes after the
one it replies to; a conversation in which one has two replies is a tree and no dialogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct, field

from empgan_rt.errors import DataError

from ...stored_json import decode_json
from .corpus import WHOLE, Line, bounded
from .files import MAX_LINE_BYTES, lines_of, read_text

UTTERANCES_NAME = "utterances.jsonl"
_CONVERSATIONS_NAME = "conversations.json"
_UNKNOWN = ""  # no conversation has that id
_SPLITS = {"train": "train", "validation": "validation", "valid": "validation"}
_SPLITS |= {"val": "validation", "dev": "validation", "test": "test"}


class _Meta(Struct, frozen=True):
    emotion: Any = UNSET


class _Utterance(Struct, frozen=True):
    text: str
    id: str
    conversation_id: str | None = None
    root: str | None = None
    reply_to: str | None = field(name="reply-to", default=None)
    reply_to_older: str | None = field(name="reply_to", default=None)
    meta: _Meta = _Meta()

    @property
    def before(self) -> str | None:
        """The id of the utterance that it replies to."""
        return self.reply_to or self.reply_to_older


class _Conversation(Struct, frozen=True):
    meta: dict[str, Any] = {}


def convokit_splits(folder: Path) -> dict[str, Iterator[Line]] | None:
    """Return the dialogues of each split, or of "all", or None if the folder is no such corpus.

    Raises:
        DataError: a file cannot be read, or some conversations have a split and others have none.
    """
    path = folder / UTTERANCES_NAME
    if not path.is_file():
        return None
    lines = _conversations(read_text(path))
    splits = _splits(folder)
    if not splits:
        return {WHOLE: iter([line for _, line in lines])}
    found: dict[str, list[Line]] = {}
    for name, line in lines:
        if name == _UNKNOWN:
            name = next(iter(splits))  # a bad line counts in any split
        if name not in splits:
            raise DataError(
                f"{line.where}: a conversation that {_CONVERSATIONS_NAME} gives no split",
                hint="give all conversations a split, or none",
            )
        found.setdefault(splits[name], []).append(line)
    return {split: iter(part) for split, part in found.items()}


def _conversations(data: bytes) -> list[tuple[str, Line]]:
    """Return each conversation's id and dialogue, in the order of their first utterances."""
    by_id: dict[str, list[tuple[str, _Utterance]]] = {}
    bad: list[tuple[str, Line]] = []
    for number, raw in bounded(lines_of(data), UTTERANCES_NAME):
        where = f"{UTTERANCES_NAME}:{number}"
        try:
            if len(raw) > MAX_LINE_BYTES:
                raise ValueError(f"longer than {MAX_LINE_BYTES:,} bytes")
            utterance = decode_json(raw, _Utterance)
        except ValueError as error:
            bad.append((_UNKNOWN, Line(where, fault=f"no utterance: {error}"[:200])))
            continue
        name = utterance.conversation_id or utterance.root
        if not name:
            fault = "no conversation_id, and no root"
            bad.append((_UNKNOWN, Line(where, fault=fault)))
            continue
        by_id.setdefault(name, []).append((where, utterance))
    return [*((name, _dialogue(found)) for name, found in by_id.items()), *bad]


def _dialogue(found: list[tuple[str, _Utterance]]) -> Line:
    where = found[0][0]
    after: dict[str | None, list[_Utterance]] = {}
    for _, utterance in found:
        after.setdefault(utterance.before, []).append(utterance)
    if list(after) == [None]:  # nobody says what replies to what: the order of the file
        return _line(where, [utterance for _, utterance in found])
    chain, at = [], None
    while at in after:
        replies = after.pop(at)
        if len(replies) > 1:
            return Line(where, fault="a conversation in which an utterance has two replies")
        chain.append(replies[0])
        at = replies[0].id
    if after:
        return Line(where, fault="a conversation with a reply to an utterance that is not in it")
    return _line(where, chain)


def _line(where: str, utterances: list[_Utterance]) -> Line:
    emotions = [u.meta.emotion for u in utterances]
    labelled = any(emotion is not UNSET for emotion in emotions)
    given = [None if emotion is UNSET else emotion for emotion in emotions]
    return Line(where, [u.text for u in utterances], given if labelled else None)


def _splits(folder: Path) -> Mapping[str, str]:
    """Return the split of each conversation; empty if there are none."""
    path = folder / _CONVERSATIONS_NAME
    if not path.is_file():
        return {}
    try:
        found = decode_json(read_text(path), dict[str, _Conversation])
    except ValueError as error:
        raise DataError(
            f"{path.name} cannot be read: {error}", hint="fetch the corpus anew"
        ) from error
    given = {name: c.meta["split"] for name, c in found.items() if "split" in c.meta}
    unknown = [name for name, split in given.items() if _split_name(split) is None]
    if unknown:
        raise DataError(
            f"{path.name}: the split of a conversation is none of {', '.join(_SPLITS)}",
            hint="fetch the corpus anew",
        )
    return {name: _split_name(split) or "" for name, split in given.items()}


def _split_name(value: object) -> str | None:
    return _SPLITS.get(value.lower()) if isinstance(value, str) else None
